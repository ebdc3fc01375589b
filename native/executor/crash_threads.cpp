#include "crash_threads.h"

#include <csignal>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

extern "C" void *__libc_stack_end;

namespace farside {

namespace {

// The kernel's frame alone takes up to 11 KiB on processors with tile registers.
constexpr size_t alternateSize = size_t{64} << 10;
constexpr size_t guardSize = 4096;

thread_local constinit StackBounds bounds{0, 0};

void dropAlternateStack(void *memory) {
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  stack_t mine{};
  // The program may have put a stack of its own in place.
  if (::sigaltstack(nullptr, &mine) == 0 && mine.ss_sp == static_cast<char *>(memory) + guardSize)
    ::sigaltstack(&none, nullptr);
  ::munmap(memory, guardSize + alternateSize);
}

pthread_key_t alternateStackKey() {
  static const pthread_key_t key = [] {
    pthread_key_t made{};
    ::pthread_key_create(&made, dropAlternateStack);
    return made;
  }();
  return key;
}

void noteBounds() {
  pthread_attr_t attributes;
  if (::getpid() == ::gettid() || ::pthread_getattr_np(::pthread_self(), &attributes) != 0)
    return;
  void *low = nullptr;
  size_t size = 0;
  if (::pthread_attr_getstack(&attributes, &low, &size) == 0)
    bounds = {reinterpret_cast<uint64_t>(low), reinterpret_cast<uint64_t>(low) + size};
  ::pthread_attr_destroy(&attributes);
}

} // namespace

void useAlternateStack() {
  void *memory = ::mmap(nullptr, guardSize + alternateSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return;
  ::mprotect(memory, guardSize, PROT_NONE);
  stack_t stack{};
  stack.ss_sp = static_cast<char *>(memory) + guardSize;
  stack.ss_size = alternateSize;
  ::sigaltstack(&stack, nullptr);
  ::pthread_setspecific(alternateStackKey(), memory);
  noteBounds();
}

StackBounds currentStack() {
  if (bounds.High != 0)
    return bounds;
  // The main thread's grows as it is used, down to the limit of the moment.
  rlimit limit{};
  if (::getpid() != ::gettid() || ::getrlimit(RLIMIT_STACK, &limit) != 0)
    return {0, 0};
  auto top = reinterpret_cast<uint64_t>(__libc_stack_end);
  return {limit.rlim_cur < top ? top - limit.rlim_cur : 0, top};
}

} // namespace farside
