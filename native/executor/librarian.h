// The librarian: a process that knows what the libraries on this machine define.
//
// It is forked by the supervisor when the near side first needs it, so that it has never run user
// code, holds none of the program's memory, and stays when the worker is put back to an earlier
// state. A file that breaks its reader ends this process and nothing else. The near side sends one
// end of a socket pair with its request (SCM_RIGHTS) and speaks on the other with the frames of
// ORC; the end of the stream ends the process.
//
//   tag 1, scan  (Seq<String> directories, bool system, bool cache, bool whole)
//             -> (u64 libraries, u64 symbols, u64 files read, u64 files known, bool watching,
//                 bool whole, Seq<(u32 probes, u64 bits, Seq<char>)> filter parts,
//                 Seq<String> places, Seq<(String path, String why)> skipped, u64 skipped)
//   tag 2, find  (Seq<String> names)
//             -> (bool stale, Seq<(String path, String soname, u32 place, bool has link,
//                 Seq<String> needed)> libraries,
//                 Seq<Seq<(u32 library, u8 kind, String version)>> definitions, for each name)
//   tag 3, near  (Seq<String> names, u32 limit) -> Seq<Seq<(String name, String library)>>
//
// Once after each scan it may call the near side, without being answered: tag 1, a place of the
// search path has changed. `watching` says whether it can know.
#pragma once

#include "fd.h"

namespace farside {

/// Serves a near side until the stream ends, then ends the process. To be called in a process with
/// one thread that has never run user code; every other descriptor is closed.
[[noreturn]] void becomeLibrarian(UniqueFd nearSide);

} // namespace farside
