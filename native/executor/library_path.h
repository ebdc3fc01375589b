// Where shared libraries are looked for, in order, and which files lie there.
//
//   1. the directories that the user added, and single files that the program has loaded
//   2. the executor's own run path (DT_RUNPATH or DT_RPATH, with $ORIGIN)
//   3. LD_LIBRARY_PATH, as the executor was started with
//   4. the loader's cache, /etc/ld.so.cache; without one, the directories of /etc/ld.so.conf
//   5. the loader's default directories
//
// The format of the cache is glibc's (sysdeps/generic/dl-cache.h, "glibc-ld.so.cache1.1"). It is
// read like any other file here: nothing in it is believed that does not lie within it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace farside {

/// A place of the search path: a directory, the loader's cache, which names files itself, or a
/// file.
struct LibraryPlace {
  std::string Path;
  bool IsLoaderCache = false;
};

/// Returns the search path. `system` false leaves only the user's directories.
std::vector<LibraryPlace> libraryPlaces(const std::vector<std::string> &userDirectories,
                                        bool system);

/// Returns the paths of all files in a place that are named like shared libraries, in a fixed
/// order.
std::vector<std::string> librariesIn(const LibraryPlace &place);

/// Whether a file name is that of a shared library: `lib….so`, or `lib….so.` and a version.
bool isLibraryName(std::string_view name);

/// Returns the files that a linker script such as `INPUT(libncurses.so.6 -ltinfo)` stands for.
std::vector<std::string> filesOfLinkerScript(std::string_view script, const std::string &directory);

/// Returns the paths of a loader's cache that are 64-bit libraries for every x86-64 processor.
std::vector<std::string> pathsOfLoaderCache(std::string_view cache);

} // namespace farside
