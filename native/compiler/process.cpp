#include "process.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

namespace farside {

namespace {

constexpr size_t StackBytes = size_t(1) << 30;

/// To give back its memory takes a fork a millisecond, in which the kernel lets nobody else have
/// the processor. Whoever let go of the fork is in the middle of a cell: that is over first.
constexpr useconds_t LastPauseMicros = 20'000;

volatile sig_atomic_t PeerFd = -1;
volatile sig_atomic_t IsFork = 0;

extern "C" void onSocketEvent(int) {
  int fd = PeerFd;
  if (fd < 0)
    return;
  int saved = errno;
  pollfd state{fd, POLLRDHUP, 0};
  if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)))
    leave(0);
  errno = saved;
}

/// For the handler alone: the stack of the process may be what is used up.
constexpr size_t SignalStackBytes = size_t(64) << 10;

extern "C" void onFatalSignal(int number) {
  char why[] = "signal 00";
  why[sizeof why - 3] = static_cast<char>('0' + number / 10);
  why[sizeof why - 2] = static_cast<char>('0' + number % 10);
  announceEnd(why);
  ::raise(number); // it has its default action again
}

[[noreturn]] void onOutOfMemory() {
  announceEnd("memory");
  _exit(70);
}

/// Lets other processes of the session go first. Under real-time scheduling this one still precedes
/// all other work, like them.
void giveWay() {
  int policy = ::sched_getscheduler(0);
  if (policy == SCHED_FIFO || policy == SCHED_RR) {
    sched_param lowest{};
    lowest.sched_priority = ::sched_get_priority_min(policy);
    ::sched_setscheduler(0, policy, &lowest);
  } else {
    (void)!::nice(5);
  }
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

void leave(int status) {
  if (IsFork) {
    giveWay();
    ::usleep(LastPauseMicros);
  }
  _exit(status);
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
  endIfAlone(); // the peer may have gone before the kernel was asked to tell
}

void endIfAlone() { onSocketEvent(SIGIO); }

void forgetPeer() { PeerFd = -1; }

void announceEnds() {
  static std::array<char, SignalStackBytes> memory;
  stack_t stack{};
  stack.ss_sp = memory.data();
  stack.ss_size = memory.size();
  ::sigaltstack(&stack, nullptr);
  struct sigaction action{};
  action.sa_handler = onFatalSignal;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
  for (int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
    ::sigaction(fatal, &action, nullptr);
  std::set_new_handler(onOutOfMemory);
  std::atexit([] { announceEnd("exit"); }); // LLVM's doing; farside leaves without it
  llvm::install_bad_alloc_error_handler([](void *, const char *, bool) { onOutOfMemory(); });
}

void announceEnd(const char *why) {
  static const char *begin = R"({"event":"ended","why":")";
  static const char *end = R"("})";
  std::array<char, 128> message{};
  constexpr size_t header = 8; // the size of the text, and no attachments
  size_t size = header;
  for (const char *part : {begin, why, end})
    for (; *part != '\0' && size < message.size(); ++part)
      message[size++] = *part;
  llvm::support::endian::write32le(message.data(), static_cast<uint32_t>(size - header));
  if (int fd = PeerFd; fd >= 0)
    (void)!::send(fd, message.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void limitMemory(uint64_t bytes) {
  rlimit limit{};
  // The large stack counts as a whole, touched or not.
  if (::getrlimit(RLIMIT_DATA, &limit) != 0 || bytes + StackBytes >= limit.rlim_cur)
    return;
  limit.rlim_cur = bytes + StackBytes;
  ::setrlimit(RLIMIT_DATA, &limit);
}

bool idleFor(int fd, int milliseconds) {
  pollfd state{fd, POLLIN | POLLRDHUP, 0};
  int ready;
  do
    ready = ::poll(&state, 1, milliseconds);
  while (ready < 0 && errno == EINTR);
  return ready == 0;
}

bool isFirst(int first, int second) {
  std::array<pollfd, 2> states{{{first, POLLIN, 0}, {second, POLLIN | POLLRDHUP, 0}}};
  while (::poll(states.data(), states.size(), -1) < 0 && errno == EINTR)
    ;
  return states[0].revents != 0 && states[1].revents == 0;
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
  IsFork = 1;
  forgetPeer();
  channel = Channel(std::move(own));
  return {};
}

} // namespace farside
