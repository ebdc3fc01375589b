#include "snapshot.h"

#include "bootstrap.h"
#include "crash.h"
#include "fork.h"
#include "platform.h"
#include "server.h"
#include "wrapper.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace farside {

namespace {

enum HelloTag : uint64_t { SnapshotSleeps = 1 };

/// What the worker was started with.
struct Origin {
  pid_t Supervisor = 0;
  struct stat Standard[3] = {};

  bool isOutside(const struct stat &file) const {
    for (const struct stat &each : Standard)
      if (each.st_dev == file.st_dev && each.st_ino == file.st_ino)
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
/// or if the one that adopts it is not the supervisor, which has died then.
void awaitSupervisor(int nearSide) {
  pid_t parent = ::getppid();
  if (parent == origin().Supervisor)
    return;
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, parent, 0)));
  if (handle) {
    pollfd ended[] = {{handle.get(), POLLIN, 0}, {nearSide, POLLRDHUP, 0}};
    while (::poll(ended, 2, -1) < 0 && errno == EINTR)
      ;
  }
  if (::getppid() != origin().Supervisor)
    ::_exit(0);
}

WrapperResult snapshotWrapper(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] { return Server::get().takeSnapshot(); });
}

} // namespace

void allowSnapshots(pid_t supervisor) {
  origin().Supervisor = supervisor;
  for (int fd = 0; fd < 3; ++fd)
    if (::fstat(fd, &origin().Standard[fd]) != 0)
      origin().Standard[fd] = {};
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
  pid_t child = forkUnseen(Threads);
  int why = errno;
  Forked = child == 0;
  if (Forked)
    return {};
  ::pthread_sigmask(SIG_SETMASK, &Signals, nullptr);
  return child < 0 ? Error(std::string("snapshot: cannot fork: ") + std::strerror(why)) : Error();
}

Connection Snapshot::sleep() {
  ::setsid();
  awaitSupervisor(Socket.get());
  UniqueFd high = moveHigh(Socket.release());
  int fd = high.get();
  Connection connection(std::move(high), UniqueFd());
  std::string hello;
  encode(hello, static_cast<uint32_t>(::getpid()));
  encode(hello, Threads);
  connection.send(Opcode::CallWrapper, 0, SnapshotSleeps, hello);
  char first = 0;
  ssize_t got = 0;
  do
    got = ::recv(fd, &first, 1, MSG_PEEK);
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    ::_exit(0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != origin().Supervisor)
    ::_exit(2); // nobody would report how it ends, nor see to it that it does
  claimCrashRecord();
  restoreOffsets();
  ::pthread_sigmask(SIG_SETMASK, &Signals, nullptr);
  return connection;
}

void Snapshot::keepOffset(int fd) {
  off_t offset = ::lseek(fd, 0, SEEK_CUR);
  struct stat file{};
  if (offset >= 0 && ::fstat(fd, &file) == 0 && !origin().isOutside(file))
    Offsets.push_back({fd, offset});
}

void Snapshot::keepOffsets() {
  constexpr int fewDescriptors = 256;
  if (DIR *open = ::opendir("/proc/self/fd")) {
    while (const dirent *entry = ::readdir(open)) {
      int fd = std::atoi(entry->d_name);
      if (entry->d_name[0] != '.' && fd != ::dirfd(open))
        keepOffset(fd);
    }
    ::closedir(open);
    return;
  }
  for (int fd = 0; fd < fewDescriptors; ++fd)
    keepOffset(fd);
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
