#include "wire.h"

#include "process.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace farside {

namespace {

/// More than any session sends; a larger size means that the stream is out of step.
constexpr uint64_t MaxJsonBytes = 512u << 20;
constexpr size_t HeaderBytes = 8;

} // namespace

Descriptor &Descriptor::operator=(Descriptor &&other) noexcept {
  if (this != &other) {
    reset();
    Fd = other.release();
  }
  return *this;
}

int Descriptor::release() {
  int fd = Fd;
  Fd = -1;
  return fd;
}

void Descriptor::reset() {
  if (Fd >= 0)
    ::close(Fd);
  Fd = -1;
}

void Channel::readExactly(char *to, size_t size) {
  while (size > 0) {
    ssize_t got = ::recv(Socket.get(), to, size, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      leave(0);
    to += got;
    size -= static_cast<size_t>(got);
  }
}

llvm::json::Object Channel::receive() {
  std::array<char, HeaderBytes> header;
  readExactly(header.data(), header.size());
  uint64_t jsonSize = llvm::support::endian::read32le(header.data());
  uint32_t attachments = llvm::support::endian::read32le(header.data() + 4);
  if (jsonSize > MaxJsonBytes || attachments != 0)
    leave(2);
  std::string text(jsonSize, '\0');
  readExactly(text.data(), text.size());
  // What was typed may hold any bytes.
  if (!llvm::json::isUTF8(text))
    text = llvm::json::fixUTF8(text);
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(text);
  if (!value) {
    llvm::consumeError(value.takeError());
    leave(2);
  }
  llvm::json::Object *object = value->getAsObject();
  if (!object)
    leave(2);
  return std::move(*object);
}

void Channel::writeAll(llvm::StringRef bytes) {
  while (!bytes.empty()) {
    ssize_t put = ::send(Socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      leave(0);
    bytes = bytes.drop_front(static_cast<size_t>(put));
  }
}

void Channel::sendWithDescriptor(llvm::StringRef bytes, int passed) {
  iovec data{const_cast<char *>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &passed, sizeof(int));
  ssize_t put;
  do
    put = ::sendmsg(Socket.get(), &message, MSG_NOSIGNAL);
  while (put < 0 && errno == EINTR);
  if (put < 0)
    leave(0);
  writeAll(bytes.drop_front(static_cast<size_t>(put)));
}

void Channel::send(llvm::json::Object body, llvm::StringRef attachment, int passed) {
  std::string json;
  llvm::raw_string_ostream(json) << llvm::json::Value(std::move(body));
  uint32_t count = attachment.empty() ? 0 : 1;
  std::string message(HeaderBytes + 8 * count, '\0');
  llvm::support::endian::write32le(message.data(), static_cast<uint32_t>(json.size()));
  llvm::support::endian::write32le(message.data() + 4, count);
  if (count)
    llvm::support::endian::write64le(message.data() + HeaderBytes, attachment.size());
  message += json;
  if (attachment.size() < 4096)
    message += attachment;
  if (passed >= 0)
    sendWithDescriptor(message, passed);
  else
    writeAll(message);
  if (attachment.size() >= 4096)
    writeAll(attachment);
}

} // namespace farside
