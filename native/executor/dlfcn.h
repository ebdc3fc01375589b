// JITDylibs for user code, under the names of ORC's runtime; `farside/dlfcn.h` declares them for
// it.
#pragma once

#include "exception_text.h"
#include "sps.h"

#include <cstdint>
#include <optional>
#include <string>

namespace farside {

extern "C" {
/// Opens by name; a handle, or null. The mode means nothing: everything is bound when it is linked.
void *__orc_rt_jit_dlopen(const char *name, int mode);
int __orc_rt_jit_dlupdate(void *handle);
int __orc_rt_jit_dlclose(void *handle);
void *__orc_rt_jit_dlsym(void *handle, const char *name);
/// What went wrong last on this thread, until the next call; null if nothing did.
const char *__orc_rt_jit_dlerror();
}

/// What the last of these functions complained of on a thread.
struct DlFailure {
  std::string Text;
  std::optional<ExceptionText> Cause;     // of a failure not reported yet
  std::optional<ExceptionText> Exception; // behind `Text`
  std::string Returned;                   // what `dlerror`'s last result points to
};

/// That of the calling thread.
DlFailure &dlFailure();

/// Asks the near side for the address of a name in a JITDylib and its link order; 0 where there is
/// none.
Expected<uint64_t> lookUpIn(uint64_t header, const std::string &name);

/// The same, and then in the process and the libraries that were loaded into it, as for linked
/// code; an error where there is none. Calls of the near side would wait for the main thread, so
/// libraries are asked here.
Expected<uint64_t> lookUpEverywhere(uint64_t header, const std::string &name);

/// The tag of that call; only its address matters.
extern "C" char farside_platform_symbol_lookup_tag;

/// Remembers an exception as the cause of the failure that is about to be reported, and returns it
/// in words.
std::string explainException(const ExceptionText &exception);

/// Returns the exception behind the failure that was remembered last, if there was one, and forgets
/// it.
std::optional<ExceptionText> takeLastException();

/// Remembers a failure for `dlerror`, per thread as the loader does; true if there was none.
bool jitSucceeded(const Error &error);

/// Returns the failure that was remembered last, and forgets it.
std::string takeLastError();

} // namespace farside
