#include "pch_content.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <ctime>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace farside {

namespace {

std::unique_ptr<llvm::MemoryBuffer> read(const llvm::Twine &path) {
  auto buffer = llvm::MemoryBuffer::getFileAsStream(path);
  return buffer ? std::move(*buffer) : nullptr;
}

constexpr int64_t aSecond = 1'000'000'000;

/// Whether a change that came now would change the file's time. The kernel's clock for that ticks a
/// hundred times a second at least; some file systems keep seconds, or every other one.
bool isSettled(const struct stat &status) {
  timespec now;
  if (::clock_gettime(CLOCK_REALTIME, &now) != 0)
    return false;
  int64_t age =
      (now.tv_sec - status.st_ctim.tv_sec) * aSecond + now.tv_nsec - status.st_ctim.tv_nsec;
  return age > (status.st_ctim.tv_nsec != 0 ? SettledAfter * 1'000'000 : 3 * aSecond);
}

/// What tells a file from others and from what it is after a change. Nothing where the kernel does
/// not say since when it runs, or the next change may leave it as it is.
std::optional<std::string> stateOf(const std::string &path, const PchContent &content) {
  struct stat status;
  auto start = read("/proc/sys/kernel/random/boot_id");
  if (!start || ::stat(path.c_str(), &status) != 0 || !isSettled(status))
    return std::nullopt;
  std::string state;
  llvm::raw_string_ostream out(state);
  out << start->getBuffer().trim() << ' ' << status.st_dev << ' ' << status.st_ino << ' '
      << status.st_size << ' ' << status.st_mtim.tv_sec << '.' << status.st_mtim.tv_nsec << ' '
      << status.st_ctim.tv_sec << '.' << status.st_ctim.tv_nsec << ' ' << content.size << ' '
      << content.sum << '\n';
  return state;
}

/// Written beside and renamed, so that nobody reads half of it. What fails is checked again.
void note(const std::string &file, const std::string &state) {
  std::string fresh = file + "-XXXXXX.tmp";
  int fd = ::mkostemps(fresh.data(), 4, O_CLOEXEC);
  if (fd < 0)
    return;
  bool written = ::write(fd, state.data(), state.size()) == static_cast<ssize_t>(state.size());
  written = ::close(fd) == 0 && written;
  if (!written || ::rename(fresh.c_str(), file.c_str()) != 0)
    ::unlink(fresh.c_str());
}

} // namespace

PchContent PchContent::of(llvm::StringRef bytes) {
  return {bytes.size(), llvm::xxh3_64bits(llvm::ArrayRef(bytes.bytes_begin(), bytes.size()))};
}

bool isWhole(llvm::StringRef pch, const PchContent &content) {
  std::string path = pch.str(), checked = path + ".checked";
  std::optional<std::string> state = stateOf(path, content);
  if (auto noted = read(checked); state && noted && noted->getBuffer() == *state)
    return true;
  auto bytes = llvm::MemoryBuffer::getFile(path, false, false);
  if (!bytes || PchContent::of((*bytes)->getBuffer()) != content)
    return false;
  // As it was before it was read: who writes to it meanwhile makes it another.
  if (state)
    note(checked, *state);
  return true;
}

} // namespace farside
