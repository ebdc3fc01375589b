// Finds unwind information for code that the dynamic loader does not know.
//
// libgcc asks `_Unwind_Find_FDE` for the frame description of each address that it unwinds through.
// Its own registry for code without a loaded library (`__register_frame`) is a list that is walked
// entry by entry in GCC 12, so a throw would cost more with every cell. The executor puts its own
// `_Unwind_Find_FDE` in front: an index by code address, and libgcc's for all else.
//
// Threads of the program throw while the main thread registers a cell, and the process forks at any
// time, so look-ups must wait for nothing. The index is a treap whose published nodes never change:
// a registration copies the path to what it changes, and swaps the root in one store. Nodes that
// are replaced are freed as soon as no look-up is under way.
#pragma once

#include "sps.h"

namespace farside {

/// Enters every frame description of an .eh_frame section in memory. All or nothing: a malformed
/// section, or one whose code is described already, is an error and changes nothing.
Error registerEhFrame(AddrRange section);

/// Takes out what `registerEhFrame` entered for the section that starts at `section.Start`.
Error deregisterEhFrame(AddrRange section);

/// Takes all out whose code is about to go. In a process of others only.
void forgetEhFrames();

/// How many sections are registered.
uint64_t countEhFrames();

} // namespace farside
