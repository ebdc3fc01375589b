// Snapshots: a forked worker that sleeps in the state in which it was forked.
//
// Memory, descriptors, working directory, signal handlers, loaded libraries: a fork copies all of
// it, for the price of page tables. So the state of the program after a cell is kept by forking
// when the cell is done, and going back to it is waking the child. The near side makes a socket
// pair for each, and sends one end along with the request; the child sleeps on that. Its first
// frame wakes it. The end of the stream ends it: to forget a snapshot is to close a socket, and
// none outlives the near side.
//
// The program must not notice. A plain fork makes the snapshot a child of the worker: a cell that
// waits for all its children would wait for ever, and a handler of SIGCHLD would see it end. It is
// therefore made the worker's *sibling* (CLONE_PARENT), a child of the supervisor. glibc cannot do
// that, so its fork is passed by, and what that does for the child of a process with one thread is
// done here: the thread's number and its list of robust mutexes. If there are more threads, which
// may hold glibc's locks at the moment, the child is made by glibc's fork, twice, and comes to the
// supervisor as an orphan.
//
// A fork shares one thing with its origin that must go back: the offset of open files. The snapshot
// keeps the offsets, but for files that came from outside (standard input may be the very script
// that the near side reads). Not copied by any fork, and so lost: other threads, timers, record
// locks of fcntl, and being the parent of child processes.
//
// If the supervisor has died, the first frame says so (CallWrapper, tag 2, with a control socket):
// the snapshot then founds a family, as supervisor.h describes, and its child waits for the next
// frame.
//
// A snapshot is the leader of a session of its own, as is the worker, so that signals to process
// groups (`kill(0, SIGKILL)`) reach neither it nor the near side.
//
// Its first message is a CallWrapper frame with tag 1 that says (u32 pid, u32 threads, u32
// streams, u64 nanoseconds): the number of threads at the fork, 0 for an unknown one (a program may
// have changed its root, and has no /proc then); that of the pipes and sockets which the program
// had open; and how long the last fork before took of a processor.
#pragma once

#include "connection.h"
#include "sps.h"

#include <csignal>
#include <sys/types.h>
#include <vector>

namespace farside {

/// The name of a process that sleeps; the program's own comes back when it is woken.
constexpr const char sleepingName[] = "farside asleep";

/// Makes this process one whose snapshots are children of `supervisor`. To be called once, before
/// user code runs; without it a request for a snapshot is an error.
void allowSnapshots(pid_t supervisor);

/// Whether a call with this tag asks for a snapshot.
bool isSnapshotRequest(uint64_t tag);

class Snapshot {
public:
  /// `socket`: where it is to sleep.
  explicit Snapshot(UniqueFd socket) : Socket(std::move(socket)) {}

  /// Flushes output, so that nothing is written twice, and forks. Returns in both processes.
  Error fork();

  /// Whether this is the forked process, with all signals blocked.
  bool isThisProcess() const { return Forked; }

  /// Waits until the newest one is a session of its own: a signal that the program sends to its
  /// process group would else reach it.
  static void awaitNewest();

  /// In the forked process: says that it is there and sleeps. Returns when it has been woken, with
  /// the connection that woke it, or not at all.
  ///
  /// One that is woken for another snapshot is the only one in this state until that is there. So
  /// it outlives the supervisor until then, as one that sleeps does; see joinSupervisor.
  Connection sleep();

  /// Has this process end with the supervisor, or now if there is none any more. To be called after
  /// each call that was served; it does something once after `sleep`.
  static void joinSupervisor();

private:
  struct FileOffset {
    int Fd;
    off_t Offset;
  };

  void keepOffsets();
  void keepOffset(int fd);
  void restoreOffsets() const;

  UniqueFd Socket;
  bool Forked = false;
  uint32_t Threads = 1;
  char Name[16] = {}; // the program's
  sigset_t Signals{};
  std::vector<FileOffset> Offsets;
};

} // namespace farside
