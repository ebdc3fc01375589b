// What the companion uses of LLVM's ORC runtime (liborc_rt, LLVM 22), which is linked beside it.
#pragma once

#include "wrapper.h"

namespace farside {

extern "C" {
/// The executor's: calls the near side. The second is an address, and nothing lies there.
WrapperResult __orc_rt_jit_dispatch(void *context, const void *tag, const char *data, size_t size);
extern char __orc_rt_jit_dispatch_ctx;
void *__orc_rt_elfnix_jit_dlopen(const char *name, int mode);
int __orc_rt_elfnix_jit_dlupdate(void *handle);
int __orc_rt_elfnix_jit_dlclose(void *handle);
void *__orc_rt_elfnix_jit_dlsym(void *handle, const char *name);
const char *__orc_rt_elfnix_jit_dlerror();
int __orc_rt_elfnix_cxa_atexit(void (*function)(void *), void *argument, void *header);
WrapperResult __orc_rt_elfnix_register_jitdylib(const char *data, size_t size);
WrapperResult __orc_rt_elfnix_deregister_jitdylib(const char *data, size_t size);
WrapperResult __orc_rt_elfnix_register_init_sections(const char *data, size_t size);
WrapperResult __orc_rt_elfnix_deregister_init_sections(const char *data, size_t size);
}

} // namespace farside
