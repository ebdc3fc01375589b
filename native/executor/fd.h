// File descriptors and the few system calls on them that the rest of the executor needs.
#pragma once

#include <cstddef>
#include <span>
#include <sys/uio.h>
#include <utility>

namespace farside {

/// Owns one file descriptor and closes it.
class UniqueFd {
public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : Fd(fd) {}
  UniqueFd(UniqueFd &&other) noexcept : Fd(std::exchange(other.Fd, -1)) {}
  UniqueFd &operator=(UniqueFd &&other) noexcept {
    if (this != &other) {
      reset();
      Fd = std::exchange(other.Fd, -1);
    }
    return *this;
  }
  UniqueFd(const UniqueFd &) = delete;
  UniqueFd &operator=(const UniqueFd &) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return Fd; }
  explicit operator bool() const { return Fd >= 0; }
  void reset();
  int release() { return std::exchange(Fd, -1); }

private:
  int Fd = -1;
};

/// Duplicates `fd` to a high number, close-on-exec, or to any but those of the standard streams
/// where there are no high ones (`ulimit -n`). Empty, with errno, if there is none at all.
UniqueFd duplicateHigh(int fd);

/// Moves `fd` to a high number, close-on-exec, and closes the original: user code that closes or
/// replaces low descriptors must not hit the connection. Falls back to any number, then to `fd`.
UniqueFd moveHigh(int fd);

/// Takes over a descriptor that was just made or received, and moves it if it has the number of a
/// standard stream, as it does once user code has closed that: what the program reads or prints
/// would go there. To be used for all that stays open while user code runs. -1 gives an empty one.
UniqueFd clearOfStandard(int fd);

/// Reads at most `size` bytes of a stream, which may be a socket; a descriptor that comes along
/// with them (SCM_RIGHTS) is put into `passed`, close-on-exec and with the number of no standard
/// stream. Else as `readSome`.
ssize_t receiveSome(int fd, void *data, size_t size, UniqueFd &passed);

/// Reads at most `size` bytes; 0 at end of file, -1 on an error. Interrupted reads are repeated.
ssize_t readSome(int fd, void *data, size_t size);

/// Writes all parts, in one system call where the kernel takes them all. A vanished peer gives
/// false, and no SIGPIPE if `fd` is a socket.
bool writeAll(int fd, std::span<iovec> parts);

} // namespace farside
