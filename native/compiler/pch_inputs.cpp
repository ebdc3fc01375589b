#include "pch_inputs.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <sys/stat.h>

namespace farside {

namespace path = llvm::sys::path;

namespace {

constexpr time_t Missing = -1;

/// The PCH is built in the directory in which it is used, if any path is relative; not so the next.
std::string absolute(llvm::StringRef name) {
  llvm::SmallString<256> full(name);
  (void)llvm::sys::fs::make_absolute(full);
  return full.str().str();
}

time_t modificationTime(const std::string &name) {
  struct stat status;
  return ::stat(name.c_str(), &status) == 0 ? status.st_mtime : Missing;
}

} // namespace

void PchInputs::addFile(llvm::StringRef path, int64_t size, time_t modified) {
  if (!path.contains('\n'))
    Files.try_emplace(absolute(path), File{size, modified});
}

void PchInputs::addAbsent(llvm::StringRef path) {
  if (!path.contains('\n'))
    Absent[absolute(path::parent_path(path))].insert(path::filename(path).str());
}

std::string PchInputs::text() const {
  std::string out;
  for (const auto &[name, file] : Files)
    out +=
        "F " + std::to_string(file.size) + " " + std::to_string(file.modified) + " " + name + "\n";
  for (const auto &[directory, names] : Absent) {
    out += "D " + std::to_string(modificationTime(directory)) + " " + directory + "\n";
    for (const std::string &name : names)
      if (modificationTime(directory + "/" + name) == Missing) // an #include_next passes over some
        out += "A " + name + "\n";
  }
  return out;
}

bool PchInputCheck::isRecord(llvm::StringRef line) {
  return line.size() > 2 && line[1] == ' ' && llvm::StringRef("FDA").contains(line[0]);
}

bool PchInputCheck::holds(llvm::StringRef record) {
  char kind = record[0];
  record = record.drop_front(2);
  if (kind == 'A')
    return Directory.empty() || modificationTime(Directory + "/" + record.str()) == Missing;
  int64_t size = 0, modified = 0;
  if ((kind == 'F' && (record.consumeInteger(10, size) || !record.consume_front(" "))) ||
      record.consumeInteger(10, modified) || !record.consume_front(" "))
    return false;
  std::string name = record.str();
  if (kind == 'D') {
    // What is installed beside the headers changes nothing, unless it bears one of the names.
    Directory = modificationTime(name) == modified ? "" : name;
    return true;
  }
  struct stat status;
  return ::stat(name.c_str(), &status) == 0 && status.st_size == size &&
         status.st_mtime == modified;
}

} // namespace farside
