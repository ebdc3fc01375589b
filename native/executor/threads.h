// The threads of the program, known by their thread pointers.
//
// Static thread-local storage of code that arrives while threads run must be written in each of
// them. glibc keeps its list of threads to itself, so `pthread_create` of the program and of its
// libraries is the executor's, which notes every thread and goes on to the real one; so is C11's
// `thrd_create`, which does not go through it. Threads that libc makes for itself (timers,
// `getaddrinfo_a`) are not known.
#pragma once

#include <cstdint>
#include <functional>

namespace farside {

/// Makes the calling thread known; once, before there are others.
void noteMainThread();

/// Gives back the key by which threads are forgotten. None may run code of cells any more.
void releaseThreadKey();

/// Calls `visit` with the thread pointer of every known thread, none of which ends or begins
/// meanwhile. `visit` must not create threads.
void forEachThread(const std::function<void(uint64_t threadPointer)> &visit);

} // namespace farside
