#include "libc_table.h"

#include "crash.h"
#include "dlfcn.h"
#include "exit_handlers.h"
#include "server.h"
#include "tls.h"

#include <algorithm>
#include <array>
#include <pthread.h>
#include <sys/stat.h>
#include <utility>

namespace farside {

namespace {

// Three kinds: the functions for JITDylibs under ORC's names (farside/dlfcn.h); exit handlers,
// which the executor keeps itself so that the code of a removed cell is never called; and what
// glibc links statically into every program (libc_nonshared.a), so that no library defines it. The
// functions of the last kind are the executor's own copies.
using Entry = std::pair<std::string_view, uint64_t>;

template <typename Function> uint64_t addressOf(Function *function) {
  return reinterpret_cast<uint64_t>(function);
}

const auto &table() {
  static const auto sorted = [] {
    std::array entries{
        Entry{"_Exit", addressOf(recordedExitNow)},
        Entry{"__farside_interrupted", addressOf(farsideInterrupted)},
        Entry{"__orc_rt_jit_dlclose", addressOf(__orc_rt_jit_dlclose)},
        Entry{"__orc_rt_jit_dlerror", addressOf(__orc_rt_jit_dlerror)},
        Entry{"__orc_rt_jit_dlopen", addressOf(__orc_rt_jit_dlopen)},
        Entry{"__orc_rt_jit_dlsym", addressOf(__orc_rt_jit_dlsym)},
        Entry{"__orc_rt_jit_dlupdate", addressOf(__orc_rt_jit_dlupdate)},
        Entry{"__cxa_at_quick_exit", addressOf(farside_cxa_at_quick_exit)},
        Entry{"__cxa_atexit", addressOf(farside_cxa_atexit)},
        Entry{"__cxa_thread_atexit", addressOf(farside_cxa_thread_atexit)},
        Entry{"__cxa_thread_atexit_impl", addressOf(farside_cxa_thread_atexit)},
        Entry{"_exit", addressOf(recordedExitNow)},
        Entry{"at_quick_exit", addressOf(farside_at_quick_exit)},
        Entry{"atexit", addressOf(farside_atexit)},
        Entry{"fstat", addressOf(::fstat)},
        Entry{"fstat64", addressOf(::fstat64)},
        Entry{"fstatat", addressOf(::fstatat)},
        Entry{"fstatat64", addressOf(::fstatat64)},
        Entry{"lstat", addressOf(::lstat)},
        Entry{"lstat64", addressOf(::lstat64)},
        Entry{"mknod", addressOf(::mknod)},
        Entry{"mknodat", addressOf(::mknodat)},
        Entry{"pthread_atfork", addressOf(::pthread_atfork)},
        Entry{"stat", addressOf(static_cast<int (*)(const char *, struct stat *)>(::stat))},
        Entry{"stat64", addressOf(static_cast<int (*)(const char *, struct stat64 *)>(::stat64))},
    };
    std::ranges::sort(entries, {}, &Entry::first);
    return entries;
  }();
  return sorted;
}

} // namespace

uint64_t findOwnSymbol(std::string_view name) {
  auto found = std::ranges::lower_bound(table(), name, {}, &Entry::first);
  return found != table().end() && found->first == name ? found->second : 0;
}

} // namespace farside
