// The messages between the near side and the compiler; docs/design.md, "Compiler wire".
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"

#include <string>

namespace farside {

/// A file descriptor with one owner.
class Descriptor {
public:
  Descriptor() = default;
  explicit Descriptor(int fd) : Fd(fd) {}
  Descriptor(Descriptor &&other) noexcept : Fd(other.release()) {}
  Descriptor &operator=(Descriptor &&other) noexcept;
  ~Descriptor() { reset(); }

  int get() const { return Fd; }
  explicit operator bool() const { return Fd >= 0; }
  int release();
  void reset();

private:
  int Fd = -1;
};

/// One end of the stream socket to the near side.
///
/// Nothing here returns when the near side is gone: without it there is nothing left to do, so the
/// process ends.
class Channel {
public:
  explicit Channel(Descriptor socket) : Socket(std::move(socket)) {}

  int fd() const { return Socket.get(); }

  /// Blocks for the next request and returns its JSON object.
  llvm::json::Object receive();

  /// Sends one message with at most one attachment; `passed` goes along as SCM_RIGHTS.
  void send(llvm::json::Object body, llvm::StringRef attachment = {}, int passed = -1);

private:
  void readExactly(char *to, size_t size);
  void sendWithDescriptor(llvm::StringRef bytes, int passed);
  void writeAll(llvm::StringRef bytes);

  Descriptor Socket;
};

} // namespace farside
