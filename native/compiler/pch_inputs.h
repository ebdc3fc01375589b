// What a precompiled header was made of, and whether it still is.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <ctime>
#include <map>
#include <set>
#include <string>

namespace farside {

/// Collects the files that were read and the places where they were looked for in vain, while the
/// PCH is built.
///
/// Text, one record a line: `F` a file with its size, time and path; `D` a directory with its time
/// (-1 if there is none) and path; after it, `A` the names that were not there.
class PchInputs {
public:
  /// Size and time are those of the moment in which the file was read.
  void addFile(llvm::StringRef path, int64_t size, time_t modified);

  /// The file would have been read instead of another if it had been there.
  void addAbsent(llvm::StringRef path);

  std::string text() const;

private:
  struct File {
    int64_t size;
    time_t modified;
  };
  std::map<std::string, File> Files;
  std::map<std::string, std::set<std::string>> Absent; // by directory
};

/// Reads these records, each compared with what is there now.
///
/// Times have the resolution of a second, as those that Clang keeps. A file that changes to one of
/// the same size and time is not noticed.
class PchInputCheck {
public:
  /// True for a line that is such a record.
  static bool isRecord(llvm::StringRef line);

  /// False where the PCH would be another now, or the record is malformed.
  bool holds(llvm::StringRef record);

private:
  std::string Directory; // of the `A` records to come, if it has changed
};

} // namespace farside
