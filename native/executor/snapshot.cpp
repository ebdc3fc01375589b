#include "snapshot.h"

#include "bootstrap.h"
#include "crash.h"
#include "fork.h"
#include "platform.h"
#include "server.h"
#include "wrapper.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace farside {

namespace {

enum HelloTag : uint64_t { SnapshotSleeps = 1 };
enum WakeTag : uint64_t { FoundFamily = 2 };

/// Calls `visit` with every open descriptor, or the first few where they cannot be listed.
template <typename Visit> void forEachDescriptor(Visit visit) {
  constexpr int fewDescriptors = 256;
  if (DIR *open = ::opendir("/proc/self/fd")) {
    while (const dirent *entry = ::readdir(open)) {
      int fd = std::atoi(entry->d_name);
      if (entry->d_name[0] != '.' && fd != ::dirfd(open))
        visit(fd);
    }
    ::closedir(open);
    return;
  }
  for (int fd = 0; fd < fewDescriptors; ++fd)
    visit(fd);
}

bool isStream(int fd, struct stat &file) {
  return ::fstat(fd, &file) == 0 && (S_ISSOCK(file.st_mode) || S_ISFIFO(file.st_mode));
}

bool isSame(const struct stat &a, const struct stat &b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// What the fork before this process's own took of a processor; other programs do not count.
uint64_t lastForkNanoseconds = 0;
pid_t newest = 0;        // the newest snapshot, until it is known to be a session of its own
bool joinsLater = false; // see joinSupervisor

uint64_t threadNanoseconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

/// What the worker was started with.
struct Origin {
  pid_t Supervisor = 0;
  struct stat Standard[3] = {};
  std::vector<struct stat> Streams; // pipes and sockets, which are not the program's

  bool isOutside(const struct stat &file) const {
    for (const struct stat &each : Standard)
      if (isSame(each, file))
        return true;
    return false;
  }
};

Origin &origin() {
  static Origin instance;
  return instance;
}

/// A grandchild of the worker is a snapshot only when the process between them is gone: until then
/// it counts among what the program has started. Ends the process if the near side goes meanwhile,
/// or if the one that adopts it is not the supervisor. Without a supervisor there is nothing to
/// wait for: it can found a family.
void awaitSupervisor(int nearSide) {
  pid_t parent = ::getppid();
  if (parent == origin().Supervisor)
    return;
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, parent, 0)));
  UniqueFd supervisor(static_cast<int>(::syscall(SYS_pidfd_open, origin().Supervisor, 0)));
  if (!supervisor)
    return;
  pollfd ended[] = {
      {supervisor.get(), POLLIN, 0}, {handle.get(), POLLIN, 0}, {nearSide, POLLRDHUP, 0}};
  while (::poll(ended, 3, handle ? -1 : 0) < 0 && errno == EINTR)
    ;
  if (ended[0].revents == 0 && ::getppid() != origin().Supervisor)
    ::_exit(0);
}

void raiseLimit(__rlimit_resource which) {
  rlimit limit{};
  if (::getrlimit(which, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(which, &limit);
  }
}

/// Executes this program again as the supervisor of `worker`. Nothing of the user's program goes
/// along but what the new program resets.
[[noreturn]] void executeSupervisor(const UniqueFd &control, const UniqueFd &record, pid_t worker) {
  ::signal(SIGCHLD, SIG_DFL); // ignored, it would keep the worker's end from us
  for (auto which : {RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_NOFILE, RLIMIT_CPU})
    raiseLimit(which);
  auto low = static_cast<unsigned>(std::min(control.get(), record.get()));
  auto high = static_cast<unsigned>(std::max(control.get(), record.get()));
  if (record.get() >= 0 && low > 0)
    ::close_range(0, low - 1, 0);
  if (high > low + 1)
    ::close_range(record.get() < 0 ? 0 : low + 1, high - 1, 0);
  ::close_range(high + 1, ~0U, 0);
  ::fcntl(control.get(), F_SETFD, 0);
  ::fcntl(record.get(), F_SETFD, 0);
  std::string name = "farside-executor";
  std::string where = "control=" + std::to_string(control.get());
  std::string whom = "supervise=" + std::to_string(worker);
  std::string memory = "record=" + std::to_string(record.get());
  char *arguments[] = {name.data(), where.data(), whom.data(), memory.data(), nullptr};
  char *environment[] = {nullptr};
  ::execve("/proc/self/exe", arguments, environment);
  ::_exit(2);
}

/// Forks, and turns this process into the supervisor of the child; returns there.
void foundFamily(UniqueFd control) {
  UniqueFd record = renewCrashRecord();
  pid_t supervisor = ::getpid();
  pid_t worker = forkChild();
  if (worker < 0)
    ::_exit(2);
  if (worker != 0)
    executeSupervisor(control, record, worker);
  origin().Supervisor = supervisor;
  ::setsid();
}

WrapperResult snapshotWrapper(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] { return Server::get().takeSnapshot(); });
}

} // namespace

bool isSnapshotRequest(uint64_t tag) { return tag == reinterpret_cast<uint64_t>(&snapshotWrapper); }

void allowSnapshots(pid_t supervisor) {
  origin().Supervisor = supervisor;
  for (int fd = 0; fd < 3; ++fd)
    if (::fstat(fd, &origin().Standard[fd]) != 0)
      origin().Standard[fd] = {};
  forEachDescriptor([](int fd) {
    struct stat file{};
    if (isStream(fd, file))
      origin().Streams.push_back(file);
  });
}

Error Snapshot::fork() {
  if (origin().Supervisor == 0)
    return Error("snapshot: this executor has no supervisor");
  flushOutput();
  keepOffsets();
  Threads = countThreads();
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &Signals);
  uint64_t began = threadNanoseconds();
  // It has its name from the first: the supervisor may look before it runs at all, and would take
  // it for a process that the program has started.
  ::prctl(PR_GET_NAME, Name);
  ::prctl(PR_SET_NAME, sleepingName);
  pid_t child = forkUnseen(Threads);
  int why = errno;
  Forked = child == 0;
  if (Forked)
    return {};
  ::prctl(PR_SET_NAME, Name);
  newest = std::max(child, 0);
  lastForkNanoseconds = threadNanoseconds() - began;
  ::pthread_sigmask(SIG_SETMASK, &Signals, nullptr);
  return child < 0 ? Error(std::string("snapshot: cannot fork: ") + std::strerror(why)) : Error();
}

void Snapshot::awaitNewest() {
  constexpr int turns = 100'000; // many times what a new process needs to run at all
  pid_t child = std::exchange(newest, 0);
  for (int turn = 0; child != 0 && turn < turns && ::getpgid(child) == ::getpgrp(); ++turn)
    ::sched_yield();
}

namespace {

/// How many pipes and sockets are open but for `own` and those that came from outside.
uint32_t countStreams(int own) {
  uint32_t count = 0;
  forEachDescriptor([&](int fd) {
    struct stat file{};
    if (fd == own || !isStream(fd, file))
      return;
    const auto &outside = origin().Streams;
    count += std::ranges::none_of(outside, [&](const auto &each) { return isSame(each, file); });
  });
  return count;
}

/// Waits for a frame without taking it, and returns its tag. The end of the stream ends the
/// process.
uint64_t awaitFrame(int fd) {
  FrameHeader header{};
  ssize_t got = 0;
  do
    got = ::recv(fd, &header, sizeof header, MSG_PEEK | MSG_WAITALL);
  while (got < 0 && errno == EINTR);
  if (got != sizeof header)
    ::_exit(0);
  return header.TagAddress;
}

} // namespace

Connection Snapshot::sleep() {
  ::setsid();
  awaitSupervisor(Socket.get());
  UniqueFd high = moveHigh(Socket.release());
  int fd = high.get();
  Connection connection(std::move(high), UniqueFd());
  std::string hello;
  encode(hello, static_cast<uint32_t>(::getpid()));
  encode(hello, Threads);
  encode(hello, countStreams(fd));
  encode(hello, lastForkNanoseconds);
  connection.send(Opcode::CallWrapper, 0, SnapshotSleeps, hello);
  uint64_t tag = awaitFrame(fd);
  if (tag == FoundFamily) {
    Frame request;
    if (connection.receive(request) != ReceiveStatus::Frame || !request.Descriptor)
      ::_exit(2);
    foundFamily(std::move(request.Descriptor));
    tag = awaitFrame(fd);
  }
  joinsLater = true;
  if (!isSnapshotRequest(tag))
    joinSupervisor();
  ::prctl(PR_SET_NAME, Name);
  claimCrashRecord();
  restoreOffsets();
  ::pthread_sigmask(SIG_SETMASK, &Signals, nullptr);
  return connection;
}

void Snapshot::joinSupervisor() {
  if (!std::exchange(joinsLater, false))
    return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != origin().Supervisor)
    ::_exit(2); // nobody would report how it ends, nor see to it that it does
}

void Snapshot::keepOffset(int fd) {
  off_t offset = ::lseek(fd, 0, SEEK_CUR);
  struct stat file{};
  if (offset >= 0 && ::fstat(fd, &file) == 0 && !origin().isOutside(file))
    Offsets.push_back({fd, offset});
}

void Snapshot::keepOffsets() {
  forEachDescriptor([this](int fd) { keepOffset(fd); });
}

void Snapshot::restoreOffsets() const {
  for (const FileOffset &file : Offsets)
    ::lseek(file.Fd, file.Offset, SEEK_SET);
}

std::span<const BootstrapSymbol> snapshotSymbols() {
  static const BootstrapSymbol symbols[] = {symbol("farside_snapshot", snapshotWrapper)};
  return symbols;
}

} // namespace farside
