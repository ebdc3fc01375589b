#include "exit_handlers.h"

#include "platform.h"
#include "tls.h"
#include "user_code.h"

#include <algorithm>
#include <mutex>
#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>
#include <vector>

extern "C" {
extern void *__dso_handle;
int __cxa_atexit(void (*function)(void *), void *argument, void *dsoHandle);
int __cxa_at_quick_exit(void (*function)(void *), void *dsoHandle);
int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *dsoHandle);
}

namespace farside {

namespace {

/// One thread_local destructor. glibc calls it through `runRecord` when its thread ends, in the
/// right order with those of libraries; the record says whether that is still to be done.
struct ThreadExit {
  void (*Function)(void *);
  void *Object;
  uint64_t Header;
  uint64_t Commit;
  pthread_t Thread; // not the kernel's number, which a woken snapshot has not kept
};

struct ThreadExits {
  std::mutex Mutex;
  std::vector<ThreadExit *> Records; // in order of registration; Function is null when done
};

ThreadExits &threadExits() {
  static auto *instance = [] {
    // A fork may come at any time, from any thread; the child must find the lock free.
    ::pthread_atfork([] { threadExits().Mutex.lock(); }, [] { threadExits().Mutex.unlock(); },
                     [] { threadExits().Mutex.unlock(); });
    return new ThreadExits;
  }();
  return *instance;
}

void runRecord(void *pointer) {
  auto *record = static_cast<ThreadExit *>(pointer);
  ThreadExit copy{};
  {
    ThreadExits &all = threadExits();
    std::lock_guard lock(all.Mutex);
    copy = *record;
    std::erase(all.Records, record);
    delete record;
  }
  if (copy.Function != nullptr)
    copy.Function(copy.Object);
}

void callPlain(void *function) { reinterpret_cast<void (*)()>(function)(); }

} // namespace

extern "C" {

int farside_cxa_atexit(void (*function)(void *), void *argument, void *dsoHandle) {
  auto header = reinterpret_cast<uint64_t>(dsoHandle);
  if (header != 0 && Platform::get().addExitHandler(header, function, argument, false))
    return 0;
  return ::__cxa_atexit(function, argument, nullptr);
}

int farside_atexit(void (*function)()) {
  if (Platform::get().addExitHandler(0, callPlain, reinterpret_cast<void *>(function), false))
    return 0;
  return ::__cxa_atexit(callPlain, reinterpret_cast<void *>(function), nullptr);
}

int farside_cxa_at_quick_exit(void (*function)(void *), void *dsoHandle) {
  if (Platform::get().addExitHandler(reinterpret_cast<uint64_t>(dsoHandle), function, nullptr,
                                     true))
    return 0;
  return ::__cxa_at_quick_exit(function, nullptr);
}

int farside_at_quick_exit(void (*function)()) {
  if (Platform::get().addExitHandler(0, callPlain, reinterpret_cast<void *>(function), true))
    return 0;
  return ::__cxa_at_quick_exit(reinterpret_cast<void (*)(void *)>(function), nullptr);
}

int farside_cxa_thread_atexit(void (*function)(void *), void *object, void *dsoHandle) {
  // The variable's image says whose it is; the code that touches it first may be anybody's.
  CodeOwner owner =
      Platform::get().ownerOf({imageOfThreadLocal(object), reinterpret_cast<uint64_t>(function)});
  auto header = reinterpret_cast<uint64_t>(dsoHandle);
  auto *record = new ThreadExit{function, object, header, owner.Commit, ::pthread_self()};
  {
    ThreadExits &all = threadExits();
    std::lock_guard lock(all.Mutex);
    all.Records.push_back(record);
  }
  return ::__cxa_thread_atexit_impl(runRecord, record, &__dso_handle);
}

} // extern "C"

uint64_t countThreadExits() {
  ThreadExits &all = threadExits();
  std::lock_guard lock(all.Mutex);
  return all.Records.size();
}

void forgetThreadExits() {
  ThreadExits &all = threadExits();
  std::lock_guard lock(all.Mutex);
  for (ThreadExit *record : all.Records)
    record->Function = nullptr;
}

void runThreadExits(ThreadExitOwner owner) {
  ThreadExits &all = threadExits();
  std::vector<ThreadExit> mine;
  {
    std::lock_guard lock(all.Mutex);
    for (ThreadExit *record : all.Records) {
      if (record->Function == nullptr || (owner.Header != 0 && record->Header != owner.Header) ||
          (owner.Commit != 0 && record->Commit != owner.Commit))
        continue;
      if (::pthread_equal(record->Thread, ::pthread_self()))
        mine.push_back(*record);
      record->Function = nullptr;
    }
  }
  for (auto record = mine.rbegin(); record != mine.rend(); ++record)
    callUserCode(record->Function, record->Object);
}

} // namespace farside
