// What farside needs of a far side, for an executor that is not farside's own.
//
// LLVM's executor maps memory, looks symbols up and calls functions. The near side's linker puts
// this object into it, beside LLVM's ORC runtime, and from then on calls these functions as if the
// executor had offered them itself: the names and signatures are those of farside-executor's
// bootstrap symbols (docs/design.md).
#include "bootstrap.h"
#include "call_steps.h"
#include "callbacks.h"
#include "cell_thread.h"
#include "commit_steps.h"
#include "exit_handlers.h"
#include "given_memory.h"
#include "memory.h"
#include "near_side.h"
#include "orc_runtime.h"
#include "platform.h"
#include "process.h"
#include "redirect.h"
#include "session_watch.h"
#include "tls.h"
#include "user_code.h"
#include "values.h"
#include "wrapper.h"

#include <atomic>
#include <list>
#include <optional>

namespace farside {

namespace {

/// farside's platform, as in farside-executor.
class PlatformHost : public CommitHost {
public:
  void enter(uint64_t header, uint64_t commit) override { Scopes.emplace_back(header, commit); }
  void leave() override { Scopes.pop_back(); }
  Expected<RunReport> update(uint64_t header) override { return Platform::get().update(header); }
  void drop(uint64_t header, uint64_t commit) override {
    Platform::get().dropFresh(header, commit);
  }
  Error finish(uint64_t commit) override { return Platform::get().finishCommit(commit); }

private:
  std::list<Platform::CodeScope> Scopes; // commits that wait for a nested one
};

PlatformHost &host() {
  static auto *instance = new PlatformHost;
  return *instance;
}

class PlatformScope : public CallScope {
public:
  void enter(uint64_t header) override { Scope.emplace(header, 0); }
  void leave() override { Scope.reset(); }

private:
  std::optional<Platform::CodeScope> Scope;
};

int runMain(uint64_t address, std::vector<std::string> arguments) {
  std::vector<char *> pointers{};
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  auto main = reinterpret_cast<int (*)(int, char **)>(address);
  int status = callUserCode(main, static_cast<int>(arguments.size()), pointers.data());
  flushOutput();
  return status;
}

/// Whether the user wants the cell to end that runs.
std::atomic<bool> interrupted = false;

} // namespace

/// No descriptor comes through an executor that is not farside's: all goes in the reply.
char memoryTag;
uint64_t putIntoMemory(uint64_t, size_t) { return 0; }

WrapperResult callNearSide(uint64_t tag, std::string_view arguments) {
  return __orc_rt_jit_dispatch(&__orc_rt_jit_dispatch_ctx, reinterpret_cast<const void *>(tag),
                               arguments.data(), arguments.size());
}

bool nearSideListens() { return CellThread::get().busy(); }

extern "C" {

/// Alloc action: takes over the slab, which the executor has reserved, and watches a descriptor of
/// the session's if there is one.
WrapperResult farside_companion_start(const char *data, size_t size) {
  using Mapped = std::vector<Protection>;
  return serveWrapper<uint64_t, uint64_t, int32_t, Mapped>(
      data, size, [](uint64_t base, uint64_t bytes, int32_t watched, const Mapped &mapped) {
        if (Error error = Slab::get().adopt(base, bytes))
          return error;
        for (auto [prot, address, length] : mapped)
          Slab::get().note(prot, address, length);
        SessionWatch::get().start(watched);
        return startProcess();
      });
}

/// The undoing of the above, when the memory of this code is released.
WrapperResult farside_companion_stop(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] {
    SessionWatch::get().end();
    return Error();
  });
}

/// Ends the program in order: its thread, exit handlers, then what its images have registered, the
/// newest first. Afterwards its memory can be released.
WrapperResult farside_companion_end(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] {
    SessionWatch::get().expectEnd();
    CellThread::get().end();
    Error first = endProcess();
    Error actions = takeAllBack();
    flushOutput();
    return first ? first : actions;
  });
}

WrapperResult farside_commit(const char *data, size_t size) {
  return serveOnCellThread<std::vector<Protection>, std::vector<Store>, std::vector<ActionPair>,
                           uint64_t, bool>(data, size, [](const auto &...arguments) {
    interrupted = false;
    return carryOut(host(), arguments...);
  });
}

/// Comes while another call runs, which the executor serves on a thread of its own.
WrapperResult farside_interrupt_call(const char *, size_t) {
  interrupted = true;
  return makeResult({});
}

int farside_interrupted() { return interrupted ? 1 : 0; }

WrapperResult farside_loaded_libraries(const char *data, size_t size) {
  return callWrapper(loadedLibrariesSymbols().front().Address, {data, size});
}

WrapperResult farside_uncommit(const char *data, size_t size) {
  return serveOnCellThread<uint64_t>(data, size,
                                     [](uint64_t key) { return takeBack(host(), key); });
}

WrapperResult farside_copy_in(const char *data, size_t size) { return copyInWrapper(data, size); }

WrapperResult farside_statistics(const char *data, size_t size) {
  using Statistics = std::vector<std::tuple<std::string, uint64_t>>;
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
        {"thread_images", tls.Images},
        {"thread_instances", tls.Instances},
    };
  });
}

/// Memory beside the arguments there is none: no descriptor comes through this executor.
WrapperResult farside_call(const char *data, size_t size) {
  return serveOnCellThread<uint64_t, uint64_t, uint64_t, bool, std::string_view>(
      data, size,
      [](uint64_t header, uint64_t function, uint64_t beside, bool,
         std::string_view arguments) -> Expected<RunOutcome> {
        if (beside != 0)
          return Error("no memory can be given to a foreign executor");
        interrupted = false;
        PlatformScope scope;
        return runCall(scope, header, function, arguments, nullptr, 0);
      });
}

WrapperResult farside_resolve_ifunc(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, resolveIfuncSlot);
}

WrapperResult farside_tls_offsets(const char *data, size_t size) {
  return callWrapper(tlsOffsetSymbols().front().Address, {data, size});
}

WrapperResult farside_tls_modules(const char *data, size_t size) {
  return callWrapper(tlsOffsetSymbols()[1].Address, {data, size});
}

WrapperResult farside_redirect(const char *data, size_t size) {
  return redirectWrapper(data, size);
}

WrapperResult farside_undo_redirect(const char *data, size_t size) {
  return undoRedirectWrapper(data, size);
}

WrapperResult farside_run_as_main(const char *data, size_t size) {
  return serveOnCellThread<uint64_t, std::vector<std::string>>(
      data, size, [](uint64_t address, std::vector<std::string> arguments) {
        return static_cast<int64_t>(runMain(address, std::move(arguments)));
      });
}

WrapperResult farside_run_as_int_function(const char *data, size_t size) {
  return serveOnCellThread<uint64_t, int32_t>(data, size, [](uint64_t address, int32_t argument) {
    return callUserCode(reinterpret_cast<int32_t (*)(int32_t)>(address), argument);
  });
}

} // extern "C"

} // namespace farside

// ORC's runtime leaves the choice of where its errors are logged to whoever links it.
asm(R"(
  .text
  .globl __orc_rt_log_error
  .type __orc_rt_log_error,@function
__orc_rt_log_error:
  jmp __orc_rt_log_error_to_stderr@PLT
  .size __orc_rt_log_error, .-__orc_rt_log_error
  .section .note.GNU-stack,"",@progbits
  .text
)");
