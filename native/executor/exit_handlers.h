// What user code asks to be called at the end: of the program, of a thread.
//
// glibc would call such handlers when the process exits, long after the memory of a removed cell is
// gone, so the executor keeps them itself, with the JITDylib and the commit that they belong to:
// those of the object that is to be destroyed or of the function to be called, where that is known,
// else those of the code that runs.
#pragma once

#include <cstdint>

namespace farside {

// What cells are linked to under the names in libc_table.cpp.
extern "C" {
int farside_cxa_atexit(void (*function)(void *), void *argument, void *dsoHandle);
int farside_atexit(void (*function)());
int farside_cxa_at_quick_exit(void (*function)(void *), void *dsoHandle);
int farside_at_quick_exit(void (*function)());
int farside_cxa_thread_atexit(void (*function)(void *), void *object, void *dsoHandle);
}

/// Which thread_local destructors are meant; 0 matches all.
struct ThreadExitOwner {
  uint64_t Header = 0;
  uint64_t Commit = 0;
};

/// Runs the calling thread's destructors of the owner, in reverse; those of other threads are
/// forgotten, because their code is about to go.
void runThreadExits(ThreadExitOwner owner);

/// Forgets all thread_local destructors, of all threads: their code is about to go.
void forgetThreadExits();

/// How many thread_local destructors wait, of all threads.
uint64_t countThreadExits();

} // namespace farside
