// GDB's JIT interface ("JIT Compilation Interface" in GDB's manual): a list of object files in
// memory, and a function that the debugger puts a breakpoint on.
#include "bootstrap.h"
#include "unwind.h"
#include "wrapper.h"

#include <mutex>

extern "C" {

struct jit_code_entry {
  jit_code_entry *next_entry;
  jit_code_entry *prev_entry;
  const char *symfile_addr;
  uint64_t symfile_size;
};

struct jit_descriptor {
  uint32_t version;
  uint32_t action_flag; // 0 nothing, 1 registered, 2 unregistered
  jit_code_entry *relevant_entry;
  jit_code_entry *first_entry;
};

__attribute__((visibility("default"), used)) jit_descriptor __jit_debug_descriptor = {1, 0, nullptr,
                                                                                      nullptr};

__attribute__((visibility("default"), noinline, used)) void __jit_debug_register_code() {
  __asm__ volatile("" ::: "memory"); // the breakpoint must have something to stand on
}
}

namespace farside {

namespace {

std::mutex mutex;

Error registerDebugObject(AddrRange object, bool autoRegister) {
  std::lock_guard lock(mutex);
  auto *entry = new jit_code_entry{__jit_debug_descriptor.first_entry, nullptr,
                                   reinterpret_cast<const char *>(object.Start), object.size()};
  if (entry->next_entry != nullptr)
    entry->next_entry->prev_entry = entry;
  __jit_debug_descriptor.first_entry = entry;
  __jit_debug_descriptor.relevant_entry = entry;
  __jit_debug_descriptor.action_flag = 1;
  if (autoRegister)
    __jit_debug_register_code();
  return {};
}

WrapperResult registerDebugObjectAction(const char *data, size_t size) {
  return serveWrapper<AddrRange, bool>(data, size, registerDebugObject);
}

WrapperResult registerEhFrameAction(const char *data, size_t size) {
  return serveWrapper<AddrRange>(data, size, registerEhFrame);
}

WrapperResult deregisterEhFrameAction(const char *data, size_t size) {
  return serveWrapper<AddrRange>(data, size, deregisterEhFrame);
}

} // namespace

std::span<const BootstrapSymbol> debuggerSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("llvm_orc_registerEHFrameAllocAction", registerEhFrameAction),
      symbol("llvm_orc_deregisterEHFrameAllocAction", deregisterEhFrameAction),
      symbol("llvm_orc_registerJITLoaderGDBAllocAction", registerDebugObjectAction),
  };
  return symbols;
}

} // namespace farside
