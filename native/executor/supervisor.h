// The process that watches over the worker and runs no user code.
//
// It is the subreaper of everything below it: what a cell starts and leaves behind becomes its
// child. It tells the near side how the worker ended, and when the near side is gone (however it
// ended: the control socket closes) it leaves no process behind. Should the supervisor itself be
// killed, the worker is killed by the kernel (PR_SET_PDEATHSIG). The snapshots stay asleep, and one
// of them founds a family of its own when the near side asks for it: it forks, the child is the
// worker, and it becomes the new supervisor by executing this program again, which leaves the
// user's memory.
//
// Control frames are ORC CallWrapper frames without reply. To the near side: tag 1, worker started
// (u32 pid); tag 2, worker ended (u32 pid, i32 si_code, i32 si_status, u32 circumstances,
// Seq<char> crash record), with the bits 1, the kernel ran out of memory; 2, it had executed
// another program; 4, it was the main thread that ended so, and the others were killed; 8, it had
// used its processor time; 16, seccomp forbade a system call; tag 3, a remark (u32 kind, u64
// value): 1, the program was stopped by this signal and has been continued; 2, so many other
// processes of the program were ended; 3, it had this many, which is beyond the limit; 4, the call
// that the worker died in had written this many bytes; 5, a thread that had asked to be traced was
// stopped by this signal and was let go; 6, with the news of a worker's end before it: one more
// than the highest number of a call that it had begun.
//
// From it: tag 1, kill the worker, and everything else below the supervisor except these snapshots
// (Seq<u32> pids); tag 2, a snapshot is the worker from now on (u32 pid); answered by tag 1, or by
// tag 2 if it is not alive; tag 3, start a librarian on the
// descriptor that comes with the frame (librarian.h); tag 4, the worker's call with this number is
// to end by itself (u64); tag 5, the program may have so many processes beside its first (u32), 0
// for any number; tag 6, look whether the worker still has its main thread and has executed no
// other program; the second look in a row that finds it otherwise ends it. Any other is a violation
// and ends everything, as does the end of the stream.
#pragma once

#include "fd.h"

#include <sys/types.h>

namespace farside {

/// Forks. Returns in the worker only, with SIGINT ignored; `control` and what the supervisor alone
/// uses are closed there. The supervisor closes `dataIn` and `dataOut`, so that the near side sees
/// the end of the worker's streams, serves, and exits.
void becomeWorker(UniqueFd control, int dataIn, int dataOut);

/// In a process that has just executed this program to watch over a worker that it had forked
/// before, with all signals blocked: serves, and exits. `record` is the memory for crashes, if any.
[[noreturn]] void superviseForked(UniqueFd control, pid_t worker, UniqueFd record);

} // namespace farside
