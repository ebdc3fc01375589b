// The process that watches over the worker and runs no user code.
//
// It is the subreaper of everything below it: what a cell starts and leaves behind becomes its
// child. It tells the near side how the worker ended, and when the near side is gone (however it
// ended: the control socket closes) it leaves no process behind. Should the supervisor itself be
// killed, the worker is killed by the kernel (PR_SET_PDEATHSIG).
//
// Control frames are ORC CallWrapper frames without reply. To the near side: tag 1, worker started
// (u32 pid); tag 2, worker ended (u32 pid, i32 si_code, i32 si_status). From it: tag 1, kill the
// worker, and everything else below the supervisor except these snapshots (Seq<u32> pids); tag 2,
// a snapshot is the worker from now on (u32 pid); answered by tag 1, or by tag 2 if it is not
// alive; tag 3, start a librarian on the descriptor that comes with the frame (librarian.h). Any other is a violation and ends everything, as does the end of the stream.
#pragma once

#include "fd.h"

namespace farside {

/// Forks. Returns in the worker only, with SIGINT ignored; `control` and what the supervisor alone
/// uses are closed there. The supervisor closes `dataIn` and `dataOut`, so that the near side sees
/// the end of the worker's streams, serves, and exits.
void becomeWorker(UniqueFd control, int dataIn, int dataOut);

} // namespace farside
