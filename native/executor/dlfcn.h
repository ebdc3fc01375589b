// JITDylibs for user code, under the names of ORC's runtime; `farside/dlfcn.h` declares them for
// it.
#pragma once

#include "sps.h"

#include <cstdint>
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

/// Asks the near side for the address of a name in a JITDylib and its link order.
Expected<uint64_t> lookUpIn(uint64_t header, const std::string &name);

/// The tag of that call; only its address matters.
char *symbolLookupTag();

/// Remembers a failure for `dlerror`, per thread as the loader does; true if there was none.
bool jitSucceeded(const Error &error);

/// Returns the failure that was remembered last, and forgets it.
std::string takeLastError();

} // namespace farside
