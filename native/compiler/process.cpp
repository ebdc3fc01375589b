#include "process.h"

#include "llvm/Support/Signals.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

namespace farside {

namespace {

constexpr size_t StackBytes = size_t(1) << 30;

volatile sig_atomic_t PeerFd = -1;

extern "C" void onSocketEvent(int) {
  int fd = PeerFd;
  if (fd < 0)
    return;
  int saved = errno;
  pollfd state{fd, POLLRDHUP, 0};
  if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)))
    _exit(0);
  errno = saved;
}

const std::function<int()> *PendingBody = nullptr;
int BodyResult = 0;

extern "C" void runPendingBody() { BodyResult = (*PendingBody)(); }

} // namespace

int runOnLargeStack(const std::function<int()> &body) {
  void *stack = ::mmap(nullptr, StackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED)
    return body();
  ::mprotect(stack, 4096, PROT_NONE);
  static ucontext_t here;
  static ucontext_t there;
  ::getcontext(&there);
  there.uc_stack.ss_sp = stack;
  there.uc_stack.ss_size = StackBytes;
  there.uc_link = &here;
  PendingBody = &body;
  ::makecontext(&there, runPendingBody, 0);
  ::swapcontext(&here, &there);
  ::munmap(stack, StackBytes);
  return BodyResult;
}

void quietSignals() {
  for (int ignored : {SIGINT, SIGQUIT, SIGPIPE, SIGTSTP, SIGHUP})
    ::signal(ignored, SIG_IGN);
  ::signal(SIGCHLD, SIG_IGN);
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

void dieWithPeer(int fd) {
  PeerFd = fd;
  struct sigaction action{};
  action.sa_handler = onSocketEvent;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGIO, &action, nullptr);
  sigset_t unblocked;
  ::sigemptyset(&unblocked);
  ::sigaddset(&unblocked, SIGIO);
  ::sigprocmask(SIG_UNBLOCK, &unblocked, nullptr);
  ::fcntl(fd, F_SETOWN, ::getpid());
  int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_ASYNC);
  onSocketEvent(SIGIO); // the peer may have gone before the kernel was asked to tell
}

void forgetPeer() { PeerFd = -1; }

bool idleFor(int fd, int milliseconds) {
  pollfd state{fd, POLLIN | POLLRDHUP, 0};
  int ready;
  do
    ready = ::poll(&state, 1, milliseconds);
  while (ready < 0 && errno == EINTR);
  return ready == 0;
}

Descriptor forkSnapshot(Channel &channel, pid_t &pid) {
  pid = -1;
  std::array<int, 2> pair;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return {};
  Descriptor near(pair[0]);
  Descriptor own(pair[1]);
  std::fflush(nullptr);
  pid = ::fork();
  if (pid < 0)
    return {};
  if (pid > 0)
    return near;
  forgetPeer();
  channel = Channel(std::move(own));
  return {};
}

} // namespace farside
