// What farside needs of a far side, for an executor that is not farside's own.
//
// LLVM's executor maps memory, looks symbols up and calls functions. The near side's linker puts
// this object into it, beside LLVM's ORC runtime, and from then on calls these functions as if the
// executor had offered them itself: the names and signatures are those of farside-executor's
// bootstrap symbols (docs/design.md).
#include "bootstrap.h"
#include "cell_thread.h"
#include "commit_steps.h"
#include "dylibs.h"
#include "given_memory.h"
#include "memory.h"
#include "near_side.h"
#include "orc_runtime.h"
#include "redirect.h"
#include "session_watch.h"
#include "values.h"
#include "wrapper.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <unistd.h>

extern "C" {
int __cxa_atexit(void (*function)(void *), void *argument, void *dsoHandle);
int __cxa_at_quick_exit(void (*function)(void *), void *dsoHandle);
void __cxa_finalize(void *dsoHandle);
}

namespace farside {

namespace {

/// Only its address matters: it names our exit handler to libc.
char exitCookie = 0;

/// Text of the last failure of a JITDylib call, for `dlerror`.
struct LastError {
  std::mutex Mutex;
  std::string Text;
  std::string Returned;

  bool note(const Error &error) {
    if (!error)
      return true;
    std::lock_guard lock(Mutex);
    Text = error.text();
    return false;
  }
  std::string take() {
    std::lock_guard lock(Mutex);
    return std::exchange(Text, {});
  }
};

LastError &lastError() {
  static auto *instance = new LastError;
  return *instance;
}

/// Serves a wrapper function on the cells' thread.
template <typename... Arguments, typename Body>
WrapperResult serveOnCellThread(const char *data, size_t size, Body &&body) {
  WrapperResult result{};
  CellThread::get().run([&] { result = serveWrapper<Arguments...>(data, size, body); });
  // The executor is about to answer on this thread of its own. A session that has gone must not end
  // it before the watch has ended the program's children.
  sigset_t brokenPipe;
  ::sigemptyset(&brokenPipe);
  ::sigaddset(&brokenPipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &brokenPipe, nullptr);
  return result;
}

/// ORC's runtime, and what `Dylibs` adds to it.
class OrcHost : public CommitHost {
public:
  void enter(uint64_t, uint64_t commit) override {
    Outer.push_back(Dylibs::get().commit());
    Dylibs::get().setCommit(commit);
  }
  void leave() override {
    Dylibs::get().setCommit(Outer.back());
    Outer.pop_back();
  }
  Expected<RunReport> update(uint64_t header) override { return Dylibs::get().update(header); }
  void drop(uint64_t, uint64_t commit) override { Dylibs::get().drop(commit); }
  Error finish(uint64_t commit) override { return Dylibs::get().runExitHandlers(commit); }

private:
  std::vector<uint64_t> Outer; // commits that wait for a nested one
};

OrcHost &host() {
  static auto *instance = new OrcHost;
  return *instance;
}

/// The program calls exit, or the executor ends: what libraries do at exit, cells do, too.
void atProcessExit(void *) {
  (void)Dylibs::get().runExitHandlers(0);
  flushOutput();
}

int runMain(uint64_t address, std::vector<std::string> arguments) {
  std::vector<char *> pointers{};
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  auto main = reinterpret_cast<int (*)(int, char **)>(address);
  int status = main(static_cast<int>(arguments.size()), pointers.data());
  flushOutput();
  return status;
}

void callPlain(void *function) { reinterpret_cast<void (*)()>(function)(); }

using Sections = std::vector<AddrRange>;

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
        if (::__cxa_atexit(atProcessExit, nullptr, &exitCookie) != 0)
          return Error("cannot register an exit handler");
        return Error();
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
    Error first = Dylibs::get().runExitHandlers(0);
    ::__cxa_finalize(&exitCookie); // nothing is left for it to do, and this code is about to go
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
  return serveWrapper<>(data, size, [] {
    Dylibs::Counts counts = Dylibs::get().counts();
    counts.emplace_back("commits", countCommits());
    return counts;
  });
}

WrapperResult farside_resolve_ifunc(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, resolveIfuncSlot);
}

WrapperResult farside_tls_offsets(const char *data, size_t size) {
  return callWrapper(tlsOffsetSymbols().front().Address, {data, size});
}

/// Libraries' variables that each thread allocates: ORC's runtime has no entries for those.
WrapperResult farside_tls_modules(const char *data, size_t size) {
  using Place = std::tuple<uint64_t, uint64_t>;
  return serveWrapper<std::vector<std::string>>(data, size, [](const auto &names) {
    return std::vector<std::optional<Place>>(names.size());
  });
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
    return reinterpret_cast<int32_t (*)(int32_t)>(address)(argument);
  });
}

// ---------------------------------------------------------------- JITDylibs, for the near side

WrapperResult farside_platform_register_jitdylib(const char *data, size_t size) {
  return serveWrapper<std::string_view, uint64_t>(
      data, size,
      [](std::string_view name, uint64_t header) { return Dylibs::get().add(name, header); });
}

WrapperResult farside_platform_deregister_jitdylib(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size,
                                [](uint64_t header) { return Dylibs::get().remove(header); });
}

WrapperResult farside_platform_hold_jitdylib(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size,
                                [](uint64_t header) { return Dylibs::get().hold(header); });
}

/// ORC's runtime is told the order with each push of initialisers.
WrapperResult farside_platform_set_link_order(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<uint64_t>>(
      data, size, [](uint64_t, const std::vector<uint64_t> &) { return Error(); });
}

WrapperResult farside_platform_register_init_sections(const char *data, size_t size) {
  return serveWrapper<uint64_t, Sections>(data, size, [](uint64_t header, const Sections &ranges) {
    return Dylibs::get().addInitialisers(header, ranges);
  });
}

WrapperResult farside_platform_deregister_init_sections(const char *data, size_t size) {
  return serveWrapper<uint64_t, Sections>(data, size, [](uint64_t header, const Sections &ranges) {
    return Dylibs::get().removeInitialisers(header, ranges);
  });
}

WrapperResult farside_platform_register_fini_sections(const char *data, size_t size) {
  return serveWrapper<uint64_t, Sections>(data, size, [](uint64_t header, const Sections &ranges) {
    return Dylibs::get().addFinalisers(header, ranges);
  });
}

WrapperResult farside_platform_deregister_fini_sections(const char *data, size_t size) {
  return serveWrapper<uint64_t, Sections>(data, size, [](uint64_t header, const Sections &ranges) {
    return Dylibs::get().removeFinalisers(header, ranges);
  });
}

WrapperResult farside_platform_register_memory(const char *data, size_t size) {
  return serveWrapper<uint64_t, Sections>(data, size, [](uint64_t, const Sections &ranges) {
    Dylibs::get().addMemory(ranges);
    return Error();
  });
}

WrapperResult farside_platform_deregister_memory(const char *data, size_t size) {
  return serveWrapper<uint64_t, Sections>(data, size, [](uint64_t, const Sections &ranges) {
    Dylibs::get().removeMemory(ranges);
    return Error();
  });
}

// ---------------------------------------------------------------- JITDylibs, for the program

void *farside_jit_dlopen(const char *name, int) {
  auto header = Dylibs::get().open(name == nullptr ? "main" : name);
  return lastError().note(header.error()) ? reinterpret_cast<void *>(*header) : nullptr;
}

int farside_jit_dlupdate(void *handle) {
  auto report = Dylibs::get().update(reinterpret_cast<uint64_t>(handle));
  if (!lastError().note(report.error()))
    return -1;
  if ((*report).Exception) {
    const ExceptionText &text = *(*report).Exception;
    (void)lastError().note(
        Error("an initialiser threw " + text.Type + (text.What ? ": " + *text.What : "")));
    return -1;
  }
  return 0;
}

int farside_jit_dlclose(void *handle) {
  return lastError().note(Dylibs::get().close(reinterpret_cast<uint64_t>(handle))) ? 0 : -1;
}

void *farside_jit_dlsym(void *handle, const char *name) {
  void *found = __orc_rt_elfnix_jit_dlsym(handle, name == nullptr ? "" : name);
  if (found == nullptr) {
    const char *text = __orc_rt_elfnix_jit_dlerror();
    (void)lastError().note(Error(text == nullptr ? "dlsym: no such symbol" : text));
  }
  return found;
}

const char *farside_jit_dlerror() {
  std::string text = lastError().take();
  if (text.empty())
    return nullptr;
  std::lock_guard lock(lastError().Mutex);
  lastError().Returned = std::move(text);
  return lastError().Returned.c_str();
}

WrapperResult farside_platform_jit_dlopen(const char *data, size_t size) {
  return serveOnCellThread<std::string, int32_t>(data, size, [](const std::string &name, int32_t) {
    auto handle = reinterpret_cast<uint64_t>(farside_jit_dlopen(name.c_str(), 1));
    flushOutput();
    return handle;
  });
}

WrapperResult farside_platform_jit_dlupdate(const char *data, size_t size) {
  return serveOnCellThread<uint64_t>(data, size, [](uint64_t header) {
    int32_t status = farside_jit_dlupdate(reinterpret_cast<void *>(header));
    flushOutput();
    return status;
  });
}

WrapperResult farside_platform_jit_dlclose(const char *data, size_t size) {
  return serveOnCellThread<uint64_t>(data, size, [](uint64_t header) {
    int32_t status = farside_jit_dlclose(reinterpret_cast<void *>(header));
    flushOutput();
    return status;
  });
}

WrapperResult farside_platform_jit_dlsym(const char *data, size_t size) {
  return serveOnCellThread<uint64_t, std::string>(
      data, size, [](uint64_t header, const std::string &name) -> Expected<uint64_t> {
        void *found = farside_jit_dlsym(reinterpret_cast<void *>(header), name.c_str());
        if (found == nullptr)
          return Error(lastError().take());
        return reinterpret_cast<uint64_t>(found);
      });
}

WrapperResult farside_platform_jit_exception(const char *data, size_t size) {
  using Thrown = std::tuple<std::string, std::optional<std::string>>;
  return serveWrapper<>(data, size, [] {
    std::optional<Thrown> thrown;
    if (auto exception = Dylibs::get().takeException())
      thrown = Thrown{std::move(exception->Type), std::move(exception->What)};
    return thrown;
  });
}

WrapperResult farside_platform_jit_dlerror(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] { return lastError().take(); });
}

// ---------------------------------------------------------------- exit handlers, for the program

int farside_cxa_atexit(void (*function)(void *), void *argument, void *dsoHandle) {
  auto header = reinterpret_cast<uint64_t>(dsoHandle);
  if (header != 0 && Dylibs::get().addExitHandler(header, function, argument))
    return 0;
  return ::__cxa_atexit(function, argument, nullptr);
}

int farside_atexit(void (*function)()) {
  if (Dylibs::get().addExitHandler(0, callPlain, reinterpret_cast<void *>(function)))
    return 0;
  return ::__cxa_atexit(callPlain, reinterpret_cast<void *>(function), nullptr);
}

int farside_at_quick_exit(void (*function)()) {
  return ::__cxa_at_quick_exit(reinterpret_cast<void (*)(void *)>(function), nullptr);
}

} // extern "C"

} // namespace farside

// ORC's runtime leaves the choice of where its errors are logged to whoever links it.
//
// The entry's key 0 says that its second word is an offset from the thread pointer; all else is
// ORC's. Like ORC's function it keeps every register but RAX.
asm(R"(
  .text
  .globl __orc_rt_log_error
  .type __orc_rt_log_error,@function
__orc_rt_log_error:
  jmp __orc_rt_log_error_to_stderr@PLT
  .size __orc_rt_log_error, .-__orc_rt_log_error
  .globl farside_tls_get_addr
  .type farside_tls_get_addr,@function
farside_tls_get_addr:
  cmpq $0, (%rdi)
  jne ___orc_rt_elfnix_tls_get_addr@PLT
  movq %fs:0, %rax
  addq 8(%rdi), %rax
  ret
  .size farside_tls_get_addr, .-farside_tls_get_addr
  .section .note.GNU-stack,"",@progbits
  .text
)");
