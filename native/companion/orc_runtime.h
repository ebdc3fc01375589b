// What the companion uses of the executor that it is in, and of LLVM's ORC runtime (liborc_rt,
// LLVM 22), which is linked beside it.
#pragma once

#include "wrapper.h"

namespace farside {

extern "C" {
/// The executor's: calls the near side. The second is an address, and nothing lies there.
WrapperResult __orc_rt_jit_dispatch(void *context, const void *tag, const char *data, size_t size);
extern char __orc_rt_jit_dispatch_ctx;
WrapperResult __orc_rt_elfnix_register_object_sections(const char *data, size_t size);
WrapperResult __orc_rt_elfnix_deregister_object_sections(const char *data, size_t size);
}

} // namespace farside
