// What the process does about its surroundings: stack, signals, the near side's end, and forks.
#pragma once

#include "wire.h"

#include <cstdint>
#include <functional>
#include <sys/types.h>

namespace farside {

/// Runs `body` on a stack large enough for the deepest input that Clang's own limits let through.
/// Pages are touched, and thus paid for, only where the recursion goes.
int runOnLargeStack(const std::function<int()> &body);

/// Ignores the signals that the terminal sends to its whole foreground group, lets the kernel reap
/// snapshots, and keeps LLVM from writing stack traces where the user types.
void quietSignals();

/// Ends the process. A fork, for which nobody waits, lets others go first: giving back its memory
/// takes a processor for a millisecond, and it ends while the near side is about something, a cell
/// or a going back. Not at the lowest priority: beside other work it would be kept from running
/// while it holds locks that the kernel has for all forks together. For signal handlers, too.
[[noreturn]] void leave(int status);

/// Ends the process as soon as the other end of `fd` is gone, even while Clang is busy. A signal
/// does this rather than a thread, because a fork takes only the calling thread along.
void dieWithPeer(int fd);

/// Ends the process if the peer of dieWithPeer is gone: the kernel sends no signal for what happens
/// to a socket between waking its reader and that one's first step.
void endIfAlone();

/// Stops dieWithPeer; a snapshot has no peer until it is spoken to.
void forgetPeer();

/// Has the process tell its peer of its end, where that is Clang's doing: a fatal signal or want of
/// memory. An end that was not told of is somebody else's doing, and the near side asks again.
void announceEnds();

/// Tells the peer now that this process is about to end, and of what. Allocates nothing.
void announceEnd(const char *why);

/// Lets allocations fail beyond `bytes`, for this process and all that it forks.
void limitMemory(uint64_t bytes);

/// True when nothing arrives on `fd` for the given time.
bool idleFor(int fd, int milliseconds);

/// Waits until one of two descriptors can be read or has ended; true if it is the first alone.
bool isFirst(int first, int second);

/// Forks. The parent gets the near side's end of the snapshot's socket; in the child the result is
/// empty and `channel` is its own.
/// `pid` is the child's, 0 in the child, negative where there is none.
Descriptor forkSnapshot(Channel &channel, pid_t &pid);

} // namespace farside
