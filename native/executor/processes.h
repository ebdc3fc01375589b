// What the kernel says of other processes, and the end of whole trees of them.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>
#include <vector>

namespace farside {

/// A process, or its main thread, as /proc/PID/stat has it.
struct ProcessState {
  char State = 0;          // 'R', 'S', 'Z' …
  bool Executed = false;   // another program since it was forked
  bool IsSnapshot = false; // known by the name that it takes
  double Seconds = 0;      // of a processor
  int ExitCode = 0;        // of the main thread, as for `wait`
  bool Forbidden = false;  // its main thread was killed for a system call that seccomp forbids
};

/// The state of a process; nothing where there is none.
std::optional<ProcessState> stateOf(pid_t process);

/// Whether a process is a snapshot, or has ended.
bool isAsleepOrDead(pid_t process);

/// The children of a process, all its threads'.
std::vector<pid_t> childrenOf(pid_t parent);

/// Has a process that is to be killed take little of a processor: to give back its memory takes it
/// a while, in which somebody waits for what comes next.
void letOthersGoFirst(pid_t process);

/// Kills a process and all below it; returns how many that were.
uint64_t killTree(pid_t root);

/// How many processes there are in a tree.
uint64_t countTree(pid_t root);

/// Waits for a child that was killed. It may end only after others: the first process of a pid
/// namespace, where the program has made one, waits until all others in it have been collected,
/// which as snapshots are children of this process, too.
void collect(pid_t child);

/// Whether a process has used the time that RLIMIT_CPU gave it, so that the kernel sent it
/// `signal`.
bool hasUsedItsTime(pid_t process, int signal, double seconds);

/// Makes this process and all that it will ever start ones that can be told from all others,
/// however they change their environment, parents and sessions: by a hard RLIMIT_RTTIME of `mark`
/// microseconds, which is so long that it limits nothing. A limit that is lower is left alone.
void markProcesses(uint64_t mark);

} // namespace farside
