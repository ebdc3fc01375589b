// farside_commit: everything that a cell needs of the executor, in one call.
#include "bootstrap.h"
#include "commit_steps.h"
#include "crash.h"
#include "exit_handlers.h"
#include "platform.h"
#include "redirect.h"
#include "tls.h"
#include "unwind.h"
#include "wrapper.h"

#include <list>

namespace farside {

namespace {

/// farside's own platform.
class NativeHost : public CommitHost {
public:
  void enter(uint64_t header, uint64_t commit) override { Scopes.emplace_back(header, commit); }
  void leave() override { Scopes.pop_back(); }
  Expected<RunReport> update(uint64_t header) override {
    noteWritten(true); // here, as the commit's own stores are written to a file, too
    return Platform::get().update(header);
  }
  void drop(uint64_t header, uint64_t commit) override {
    Platform::get().dropFresh(header, commit);
  }
  Error finish(uint64_t commit) override { return Platform::get().finishCommit(commit); }

private:
  std::list<Platform::CodeScope> Scopes;
};

NativeHost &host() {
  static auto *instance = new NativeHost;
  return *instance;
}

WrapperResult commitWrapper(const char *data, size_t size) {
  return serveWrapper<std::vector<Protection>, std::vector<Store>, std::vector<ActionPair>,
                      uint64_t, bool>(
      data, size, [](const auto &...arguments) { return carryOut(host(), arguments...); });
}

WrapperResult uncommitWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size, [](uint64_t key) { return takeBack(host(), key); });
}

WrapperResult resolveIfunc(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, resolveIfuncSlot);
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
        {"commits", countCommits()},
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
      symbol("farside_copy_in", copyInWrapper),
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
