#include "process.h"

#include "dlfcn.h"
#include "exit_handlers.h"
#include "libc_table.h"
#include "platform.h"
#include "run_report.h"
#include "tls.h"

#include <cerrno>
#include <cstring>
#include <new>
#include <pthread.h>

extern "C" {
int __cxa_atexit(void (*function)(void *), void *argument, void *dsoHandle);
int __cxa_at_quick_exit(void (*function)(void *), void *dsoHandle);
void __cxa_finalize(void *dsoHandle);
int __register_atfork(void (*prepare)(), void (*parent)(), void (*child)(), void *dsoHandle);
}

namespace farside {

namespace {

/// Only its address matters: it names what we register with libc.
char cookie = 0;

/// Thread-local variables of its own the companion cannot have.
pthread_key_t failureKey;

/// The program calls exit, or the executor ends: what libraries do at exit, cells do, too.
void atProcessExit(void *) {
  Platform::get().runAllExitHandlers(false);
  flushOutput();
}

void atQuickExit(void *) { Platform::get().runAllExitHandlers(true); }

} // namespace

Error startProcess() {
  if (int error =
          ::pthread_key_create(&failureKey, [](void *of) { delete static_cast<DlFailure *>(of); }))
    return Error(std::string("no pthread key: ") + std::strerror(error));
  initialiseInstances();
  if (::__cxa_atexit(atProcessExit, nullptr, &cookie) != 0 ||
      ::__cxa_at_quick_exit(atQuickExit, &cookie) != 0)
    return Error("cannot register an exit handler");
  return {};
}

Error endProcess() {
  Error failure = Platform::get().finishAll();
  // Forgets handlers of fork, too; glibc has no such call for those of quick_exit, which LLVM's
  // executor does not use.
  ::__cxa_finalize(&cookie);
  delete static_cast<DlFailure *>(::pthread_getspecific(failureKey));
  ::pthread_key_delete(failureKey);
  releaseTlsKey();
  return failure;
}

DlFailure &dlFailure() {
  auto *failure = static_cast<DlFailure *>(::pthread_getspecific(failureKey));
  if (failure == nullptr) {
    failure = new DlFailure;
    ::pthread_setspecific(failureKey, failure);
  }
  return *failure;
}

/// There is no static pool: that is a part of farside-executor.
void resetStaticTls(AddrRange) {}

/// What linked code finds under these names is the near side's to say (`StockFarSide.known`).
uint64_t findOwnSymbol(std::string_view) { return 0; }

} // namespace farside

/// glibc links this function into each program, so no library has it.
extern "C" int pthread_atfork(void (*prepare)(), void (*parent)(), void (*child)()) noexcept {
  return ::__register_atfork(prepare, parent, child, &farside::cookie);
}
