// farside_commit: everything that a cell needs of the executor, in one call.
#include "actions.h"
#include "bootstrap.h"
#include "exit_handlers.h"
#include "memory.h"
#include "platform.h"
#include "redirect.h"
#include "tls.h"
#include "unwind.h"
#include "values.h"
#include "wrapper.h"

#include <unordered_map>

namespace farside {

namespace {

using Protection = std::tuple<uint8_t, uint64_t, uint64_t>; // prot, address, size
using Store = std::tuple<uint64_t, std::string_view>;       // address, bytes

enum class Status : uint8_t { Done = 0, UncaughtException = 1 };

/// (key, status, initialisers run, nanoseconds, exception type, what, values)
using RunOutcome = std::tuple<uint64_t, uint8_t, uint64_t, uint64_t, std::string,
                              std::optional<std::string>, std::vector<ShownValue>>;

/// The dealloc actions of each commit, by its key.
struct Commits {
  uint64_t LastKey = 0;
  std::unordered_map<uint64_t, std::vector<OwnedCall>> Deallocs;
};

Commits &commits() {
  static auto *instance = new Commits;
  return *instance;
}

Error store(const std::vector<Protection> &protections, const std::vector<Store> &stores) {
  for (auto [prot, address, size] : protections)
    if (Error error = Slab::get().protect(prot, address, size))
      return error;
  ProtectedWriter writer;
  for (auto [address, bytes] : stores) {
    if (!Slab::get().contains(address, bytes.size()))
      return Error("store outside the slab");
    if (Error error = writer.write(address, bytes))
      return error;
  }
  return {};
}

Expected<RunOutcome> commit(const std::vector<Protection> &protections,
                            const std::vector<Store> &stores,
                            const std::vector<ActionPair> &actions, uint64_t header, bool passing) {
  if (Error error = store(protections, stores))
    return error;
  uint64_t key = ++commits().LastKey;
  Platform::CodeScope scope(header, key);
  ValueCollector values;
  auto deallocs = runFinalizeActions(actions);
  if (!deallocs)
    return deallocs.error();

  RunReport report;
  if (header != 0) {
    auto ran = Platform::get().update(header);
    if (!ran) {
      Error undo = runDeallocActions(*deallocs);
      return undo ? Error(ran.text() + "; " + undo.text()) : ran.error();
    }
    report = std::move(*ran);
    // What a cell does after its exception is not done. What others pushed waits its turn.
    if (report.Exception)
      Platform::get().dropFresh(header, key);
    flushOutput(); // what a cell prints is there before its outcome is
  }
  if (passing) {
    if (Error error = runDeallocActions(*deallocs))
      return error;
  } else {
    commits().Deallocs.emplace(key, std::move(*deallocs));
  }
  auto status = report.Exception ? Status::UncaughtException : Status::Done;
  ExceptionText exception = report.Exception.value_or(ExceptionText{});
  return RunOutcome{key,
                    static_cast<uint8_t>(status),
                    report.Completed,
                    report.Nanoseconds,
                    std::move(exception.Type),
                    std::move(exception.What),
                    values.take()};
}

WrapperResult commitWrapper(const char *data, size_t size) {
  return serveWrapper<std::vector<Protection>, std::vector<Store>, std::vector<ActionPair>,
                      uint64_t, bool>(data, size, commit);
}

/// Exit handlers that the commit's code registered come first: they may need its memory.
Error uncommit(uint64_t key) {
  auto node = commits().Deallocs.extract(key);
  if (node.empty())
    return Error("uncommit: no such commit");
  Error exits = Platform::get().finishCommit(key);
  flushOutput();
  Error actions = runDeallocActions(node.mapped());
  if (exits && actions)
    return Error(exits.text() + "; " + actions.text());
  return exits ? exits : actions;
}

WrapperResult uncommitWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size, uncommit);
}

/// Calls an IFUNC resolver and stores the address that it picks, wherever the slot lies.
WrapperResult resolveIfunc(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, [](uint64_t slot, uint64_t resolver) {
    uint64_t target = reinterpret_cast<uint64_t (*)()>(resolver)();
    ProtectedWriter writer;
    return writer.write(slot, {reinterpret_cast<const char *>(&target), sizeof target});
  });
}

WrapperResult staticTlsInit(const char *data, size_t size) {
  return serveWrapper<int64_t, std::string_view>(data, size, initialiseStaticTls);
}

WrapperResult staticTlsRegister(const char *data, size_t size) {
  return serveWrapper<int64_t, AddrRange>(data, size, registerStaticTls);
}

WrapperResult staticTlsDeregister(const char *data, size_t size) {
  return serveWrapper<int64_t, AddrRange>(data, size, deregisterStaticTls);
}

/// How much the executor keeps, by name: what has gone must not be counted.
using Statistics = std::vector<std::tuple<std::string, uint64_t>>;

WrapperResult statistics(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] {
    PlatformCounts platform = Platform::get().counts();
    TlsCounts tls = threadLocalCounts();
    return Statistics{
        {"commits", commits().Deallocs.size()},
        {"jitdylibs", platform.JitDylibs},
        {"init_sections", platform.InitSections},
        {"fini_sections", platform.FiniSections},
        {"exit_handlers", platform.ExitHandlers},
        {"thread_exits", countThreadExits()},
        {"memory_ranges", platform.MemoryRanges},
        {"eh_frames", countEhFrames()},
        {"thread_images", tls.Images},
        {"thread_instances", tls.Instances},
        {"static_images", countStaticTls()},
    };
  });
}

} // namespace

std::span<const BootstrapSymbol> commitSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("farside_commit", commitWrapper),
      symbol("farside_uncommit", uncommitWrapper),
      symbol("farside_statistics", statistics),
      symbol("farside_resolve_ifunc", resolveIfunc),
      symbol("farside_static_tls_init", staticTlsInit),
      symbol("farside_redirect", redirectWrapper),
      symbol("farside_undo_redirect", undoRedirectWrapper),
      symbol("farside_static_tls_register", staticTlsRegister),
      symbol("farside_static_tls_deregister", staticTlsDeregister),
      symbol("farside_tls_get_addr", farside_tls_get_addr),
      symbol("farside_tlsdesc", farside_tlsdesc),
  };
  return symbols;
}

} // namespace farside
