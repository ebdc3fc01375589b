#include "fd.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace farside {

void UniqueFd::reset() {
  if (Fd >= 0)
    ::close(std::exchange(Fd, -1));
}

UniqueFd duplicateHigh(int fd) {
  constexpr int firstHigh = 230;
  int high = ::fcntl(fd, F_DUPFD_CLOEXEC, firstHigh);
  return UniqueFd(high >= 0 ? high : ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

UniqueFd moveHigh(int fd) {
  UniqueFd high = duplicateHigh(fd);
  if (!high)
    return UniqueFd(fd);
  ::close(fd);
  return high;
}

UniqueFd clearOfStandard(int fd) {
  return fd < 0 || fd > STDERR_FILENO ? UniqueFd(fd) : moveHigh(fd);
}

ssize_t readSome(int fd, void *data, size_t size) {
  for (;;) {
    ssize_t got = ::read(fd, data, size);
    if (got >= 0 || errno != EINTR)
      return got;
  }
}

ssize_t receiveSome(int fd, void *data, size_t size, UniqueFd &passed) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{data, size};
  for (;;) {
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_LEN(sizeof(int)); // no room for a second one
    ssize_t got = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && errno == ENOTSOCK)
      return readSome(fd, data, size);
    const cmsghdr *header = got < 0 ? nullptr : CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
      int came = -1;
      std::memcpy(&came, CMSG_DATA(header), sizeof came);
      passed = clearOfStandard(came);
    }
    return got;
  }
}

bool writeAll(int fd, std::span<iovec> parts) {
  while (!parts.empty()) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == ENOTSOCK)
      sent = ::writev(fd, parts.data(), static_cast<int>(parts.size()));
    if (sent < 0) {
      if (errno == EINTR)
        continue;
      return false;
    }
    auto rest = static_cast<size_t>(sent);
    while (!parts.empty() && rest >= parts.front().iov_len) {
      rest -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (!parts.empty()) {
      parts.front().iov_base = static_cast<char *>(parts.front().iov_base) + rest;
      parts.front().iov_len -= rest;
    }
  }
  return true;
}

} // namespace farside
