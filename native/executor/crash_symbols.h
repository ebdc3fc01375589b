// Names for addresses, and what is mapped there, found without libc's locks, heap or streams: a
// crash handler's tools. All of them may fault on a damaged process; the caller is prepared for
// that.
#pragma once

#include "crash_record.h"

namespace farside {

/// Copies a string of at most `limit` bytes into the record and returns its place, 0 without room.
uint32_t addText(CrashRecord &record, const char *text, size_t limit);

/// Fills in the library of a frame and the exported function that its address lies in.
void nameFrame(CrashRecord &record, size_t index);

/// Fills in what is mapped at the faulting address.
void findMapping(CrashRecord &record);

} // namespace farside
