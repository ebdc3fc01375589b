// What is known of a death only inside the dying process: the faulting address, the registers, the
// call stack. A signal handler writes it to memory that is shared with the supervisor, which sends
// it to the near side with the news of the death.
//
// The handler relies on nothing that the program may have damaged: it runs on a stack of its own,
// it neither allocates nor locks, and a second fault while it reads the program's memory only ends
// the step that met it. It is the default only: handlers that the program sets win, and may chain
// to it. It always ends in the signal's default action, so the wait status is what it would have
// been.
#pragma once

#include "fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

namespace farside {

/// How a process came to its orderly end.
enum class ExitKind : uint32_t { Exit = 2, QuickExit = 3, ImmediateExit = 4, Disconnected = 5 };

/// Maps the shared memory. Called by the supervisor before it forks; without it the rest does
/// nothing.
void prepareCrashRecord();

/// Puts fresh memory in the place of the shared memory, for a process that leaves its supervisor
/// and the other snapshots to found a family of its own. Returns a descriptor of it, not
/// close-on-exec, for the new supervisor's `openCrashRecord`; an empty one if there is none.
UniqueFd renewCrashRecord();

/// In a supervisor that did not prepare the memory itself: maps it.
void openCrashRecord(UniqueFd memory);

/// Makes the calling process the one whose death is recorded. A snapshot that takes over calls it.
void claimCrashRecord();

/// Unmaps the shared memory.
void releaseCrashRecord();

/// Installs the handlers, and their stack for the calling thread. Threads that are started later
/// get theirs by the executor's own pthread_create.
void installCrashHandlers();

/// In the supervisor: lets `isInterrupted` be true in the worker while it serves a call.
void interruptCall(uint64_t sequenceNumber);

/// Whether the user wants this call to end. Any thread, any time.
bool isInterrupted(uint64_t sequenceNumber);

/// In the worker: writes down how many bytes the process has written before a call, or that it
/// serves none.
void noteWritten(bool beforeCall);

/// As `noteWritten(true)`, with the count of `countWrittenAhead` where that was taken just now.
void noteWrittenSoon();

/// Counts what the process has written, which takes as long as dozens of system calls, while nobody
/// waits for it.
void countWrittenAhead();

/// In the supervisor: how many a dead worker, not yet waited for, has written since `noteWritten`.
uint64_t writtenSince(pid_t pid);

/// In the supervisor: whether the worker serves no call that may run code of the program.
bool isIdle();

/// In the worker: writes down that it has begun a call of the near side's.
void noteBegun(uint64_t sequenceNumber);

/// In the supervisor: one more than the highest number of a call that a worker has begun, 0 if it
/// has begun none; nothing where nobody writes it down. A snapshot's number is lower than that of
/// the call before it, which goes with it.
std::optional<uint64_t> newestBegun();

/// Says where the program asked to be ended.
void recordExit(ExitKind kind);

/// In the supervisor: what the dead process `pid` wrote, as bytes for the near side to check; empty
/// if it wrote nothing. Clears the record.
std::string takeCrashRecord(pid_t pid);

/// `_exit` as cells see it.
[[noreturn]] void recordedExitNow(int status);

} // namespace farside
