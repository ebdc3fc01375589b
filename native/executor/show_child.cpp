#include "show_child.h"

#include "fd.h"
#include "fork.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

// Unlike `atexit` and its like, which are linked into each program, a library has them; this is
// part of the companion, too.
extern "C" {
int __cxa_atexit(void (*function)(void *), void *argument, void *dsoHandle);
int __cxa_at_quick_exit(void (*function)(void *), void *dsoHandle);
}

namespace farside {

namespace {

constexpr int maxMilliseconds = 5000;
constexpr int fatalSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXCPU};

/// What the handler below writes to; in the child only.
TreeMemory *result = nullptr;

void onFatalSignal(int signal) {
  result->Signal.store(static_cast<uint32_t>(signal));
  ::_exit(1);
}

/// The exit handlers of the program are not run by a display that calls exit().
void leaveAtOnce(void *) { ::_exit(1); }

void becomeChild(TreeMemory &memory, const sigset_t &signals) {
  result = &memory;
  struct sigaction action{};
  action.sa_handler = onFatalSignal;
  action.sa_flags = SA_ONSTACK;
  for (int fatal : fatalSignals)
    ::sigaction(fatal, &action, nullptr);
  ::__cxa_atexit(leaveAtOnce, nullptr, nullptr);
  ::__cxa_at_quick_exit(leaveAtOnce, nullptr);
  sigset_t mask = signals;
  for (int fatal : fatalSignals)
    ::sigdelset(&mask, fatal);
  ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

/// Waits for the end of the stream that the child holds open.
bool awaitEnd(int stream, const TreeMemory &memory) {
  timespec start{};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  int left = maxMilliseconds;
  pollfd ended{stream, POLLIN, 0};
  while (left > 0) {
    int ready = ::poll(&ended, 1, left);
    if (ready > 0)
      return true;
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    auto passed = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
    left = maxMilliseconds - static_cast<int>(passed);
  }
  return memory.Done.load() != 0;
}

std::string describe(const TreeMemory &memory, bool ended) {
  if (memory.Done.load() != 0)
    return {};
  if (!ended)
    return "took longer than " + std::to_string(maxMilliseconds / 1000) + " seconds";
  if (uint32_t signal = memory.Signal.load()) {
    const char *name = ::sigabbrev_np(static_cast<int>(signal));
    return std::string("crashed: SIG") + (name != nullptr ? name : std::to_string(signal));
  }
  return "ended before it was done";
}

} // namespace

bool inShowChild() { return result != nullptr; }

std::string showInChild(TreeMemory &memory, const std::function<void()> &show) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return std::string("no process to show it in: ") + std::strerror(errno);
  UniqueFd reading = clearOfStandard(ends[0]);
  UniqueFd writing = clearOfStandard(ends[1]);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = forkUnseen(countThreads());
  int why = errno;
  if (child == 0) {
    // Said first: another thread may have held a lock of libc's at the fork that is never let go.
    pid_t self = ::getpid();
    if (::write(writing.get(), &self, sizeof self) != static_cast<ssize_t>(sizeof self))
      ::_exit(1);
    becomeChild(memory, before);
    show();
    memory.Done.store(1);
    ::_exit(0);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0)
    return std::string("no process to show it in: ") + std::strerror(why);
  writing.reset();
  pid_t pid = 0;
  ssize_t got = 0;
  do
    got = ::read(reading.get(), &pid, sizeof pid);
  while (got < 0 && errno == EINTR);
  UniqueFd handle;
  if (got == static_cast<ssize_t>(sizeof pid))
    handle = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  bool ended = awaitEnd(reading.get(), memory);
  if (!ended && handle)
    ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
  return describe(memory, ended);
}

} // namespace farside
