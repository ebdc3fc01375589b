#include "fork.h"

#include <cerrno>
#include <csignal>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace farside {

namespace {

/// The place where glibc keeps the calling thread's number, which it has told the kernel, too.
pid_t *threadNumber() {
  pid_t *place = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &place) != 0 || place == nullptr || *place != ::gettid())
    return nullptr;
  return place;
}

/// Forks, with CLONE_PARENT a sibling. The calling thread must be the only one.
pid_t forkAlone(pid_t *number, int flags) {
  void *robustMutexes = nullptr;
  size_t size = 0;
  bool robust = ::syscall(SYS_get_robust_list, 0, &robustMutexes, &size) == 0;
  auto child = static_cast<pid_t>(
      ::syscall(SYS_clone, flags | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, nullptr,
                nullptr, number, 0));
  if (child == 0 && robust)
    ::syscall(SYS_set_robust_list, robustMutexes, size);
  return child;
}

/// Forks a grandchild and leaves it to the subreaper. All signals must be blocked.
pid_t forkOrphan() {
  sigset_t pending;
  ::sigpending(&pending);
  pid_t between = ::fork();
  if (between == 0) {
    pid_t child = ::fork();
    if (child != 0)
      ::_exit(child < 0 ? errno : 0);
    return 0;
  }
  if (between < 0)
    return -1;
  int status = 0;
  while (::waitpid(between, &status, 0) < 0 && errno == EINTR)
    ;
  if (sigismember(&pending, SIGCHLD) == 0) {
    sigset_t ended;
    ::sigemptyset(&ended);
    ::sigaddset(&ended, SIGCHLD);
    timespec now{};
    ::sigtimedwait(&ended, nullptr, &now);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    errno = WEXITSTATUS(status);
    return -1;
  }
  return between;
}

} // namespace

uint32_t countThreads() {
  if (__libc_single_threaded)
    return 1;
  struct stat tasks{};
  // A directory has a link for each directory in it, itself, and its entry in its parent.
  if (::stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink < 3)
    return 0;
  return static_cast<uint32_t>(tasks.st_nlink) - 2;
}

pid_t forkUnseen(uint32_t threads) {
  pid_t *number = threads == 1 ? threadNumber() : nullptr;
  return number != nullptr ? forkAlone(number, CLONE_PARENT) : forkOrphan();
}

pid_t forkChild() {
  pid_t *number = threadNumber();
  return number != nullptr ? forkAlone(number, 0) : ::_Fork();
}

} // namespace farside
