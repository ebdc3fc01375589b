#include "threads.h"

#include "crash_threads.h"
#include "tls.h"

#include <algorithm>
#include <dlfcn.h>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <threads.h>
#include <vector>

namespace farside {

namespace {

struct Threads {
  std::mutex Mutex;
  std::vector<uint64_t> Pointers;
  pthread_key_t End{};
  bool Ready = false;
};

Threads &threads() {
  // Never destroyed: threads may outlive main.
  static auto *instance = new Threads;
  return *instance;
}

uint64_t ownPointer() { return reinterpret_cast<uint64_t>(__builtin_thread_pointer()); }

void forgetThread(void *pointer) {
  Threads &all = threads();
  std::lock_guard lock(all.Mutex);
  std::erase(all.Pointers, reinterpret_cast<uint64_t>(pointer));
}

/// Under the lock, so that a store meets either the thread or the template that it is made from.
void noteThread() {
  Threads &all = threads();
  std::lock_guard lock(all.Mutex);
  refreshStaticTls();
  all.Pointers.push_back(ownPointer());
  ::pthread_setspecific(all.End, reinterpret_cast<void *>(ownPointer()));
}

/// What a thread is to run. `Result` is what the function returns: `void *` of a POSIX thread,
/// `int` of a C11 one.
template <typename Result> struct Start {
  Result (*Function)(void *);
  void *Argument;
};

template <typename Result> Result runThread(void *pointer) {
  std::unique_ptr<Start<Result>> owned(static_cast<Start<Result> *>(pointer));
  Start<Result> start = *owned;
  owned.reset();
  noteThread();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  useAlternateStack(); // the sanitizers have their own
#endif
  Result result = start.Function(start.Argument);
  __asm__ volatile(""); // not a tail call: this frame is where a report of the thread's death ends
  return result;
}

} // namespace

void noteMainThread() {
  Threads &all = threads();
  if (::pthread_key_create(&all.End, forgetThread) != 0)
    return;
  all.Pointers.push_back(ownPointer());
  all.Ready = true;
  // A fork may come at any time, from any thread; the child must find the lock free, and is alone.
  ::pthread_atfork([] { threads().Mutex.lock(); }, [] { threads().Mutex.unlock(); },
                   [] {
                     threads().Pointers.assign(1, ownPointer());
                     threads().Mutex.unlock();
                   });
}

void releaseThreadKey() {
  if (threads().Ready)
    ::pthread_key_delete(threads().End);
}

void forEachThread(const std::function<void(uint64_t)> &visit) {
  Threads &all = threads();
  std::lock_guard lock(all.Mutex);
  bool known = false;
  for (uint64_t pointer : all.Pointers) {
    visit(pointer);
    known |= pointer == ownPointer();
  }
  if (!known)
    visit(ownPointer());
}

} // namespace farside

extern "C" __attribute__((visibility("default"))) int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
               void *argument) {
  using namespace farside;
  static const auto real =
      reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  if (!threads().Ready)
    return real(thread, attributes, function, argument);
  auto start = std::make_unique<Start<void *>>(Start<void *>{function, argument});
  int error = real(thread, attributes, runThread<void *>, start.get());
  if (error == 0)
    (void)start.release(); // the thread's own
  return error;
}

extern "C" __attribute__((visibility("default"))) int
thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
  using namespace farside;
  static const auto real =
      reinterpret_cast<decltype(&thrd_create)>(::dlsym(RTLD_NEXT, "thrd_create"));
  if (!threads().Ready)
    return real(thread, function, argument);
  auto start = std::make_unique<Start<int>>(Start<int>{function, argument});
  int error = real(thread, runThread<int>, start.get());
  if (error == thrd_success)
    (void)start.release();
  return error;
}
