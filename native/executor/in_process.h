// The executor as a shared library, in the near side's own process.
//
// Cells run on one thread, the **cell thread**, which serves the session's calls from a socket as
// the worker's main thread does, so their thread_local variables stay. There is no supervisor and
// there are no snapshots: a crash or an `exit()` ends the whole process. Nothing of the process
// that is not a cell's own is changed for long: no signal handlers, no limits, no replaced
// `pthread_create` or `_Unwind_Find_FDE`; unwind tables are given to libgcc.
//
// A thread cannot be killed. `farside_in_process_stop` makes the cell thread leave its cell where
// that is safe: when a signal finds it in the cell's own code, which holds no lock of a library, or
// when it comes back there. One that does neither, as it waits for something, is put to sleep for
// good, and its memory stays.
//
// Each copy of the library that is loaded is one executor. It serves one session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <semaphore.h>

extern "C" {

/// Starts the cell thread.
///
/// `data` is the socket of the calls, `out` and `err` take the cells' output or are -1, and `turn`
/// is the semaphore of all in this process who redirect output; the descriptors are the library's
/// from then on. `slab` is the size of the address range in bytes, 0 for the usual. Returns 0; 1 if
/// this copy of the library has been used already; 2 for a failure, which `why` then describes.
int farside_in_process_start(int data, int out, int err, ::sem_t *turn, uint64_t slab, char *why,
                             size_t room);

/// Lets `farside::interrupted()` be true for the call with this number.
void farside_in_process_interrupt(uint64_t sequence);

/// The kernel's number of the cell thread.
int farside_in_process_thread();

/// Makes the cell thread end whatever it does, in about so many milliseconds; tells whether it has.
/// Else it sleeps for good.
int farside_in_process_stop(int milliseconds);

/// Gives back what the executor holds, its memory included. The cell thread must have ended, and no
/// other may run its code.
void farside_in_process_release();
}
