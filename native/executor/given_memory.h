// Memory that carries large parts of given values to the near side, past the connection.
//
// The near side makes it, a memfd, when it is asked with `farside_memory_tag` (u64 size; answered
// by u64 number, and the descriptor comes along). The worker writes to it once and lets go of it.
// The number 0 says that there is none to be had, as where the near side is on another machine;
// then the bytes travel in the reply.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farside {

/// Names the request for memory to the near side.
extern char memoryTag;

/// Puts bytes of the program's memory there. Returns the number of the memory, or 0 if there is
/// none, or the bytes cannot be read.
uint64_t putIntoMemory(uint64_t from, size_t size);

} // namespace farside
