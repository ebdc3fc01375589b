#include "listen.h"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>

namespace farside {

namespace {

Error systemError(const char *what) {
  return Error(std::string(what) + ": " + std::strerror(errno));
}

/// Fills a loopback address; its length, or 0 if it is none.
socklen_t loopback(std::string host, uint16_t port, sockaddr_storage &storage) {
  if (host == "localhost")
    host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  sockaddr_in four{};
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&storage, &four, sizeof four);
    return ntohl(four.sin_addr.s_addr) >> 24 == 127 ? sizeof four : 0;
  }
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1)
    return 0;
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  std::memcpy(&storage, &six, sizeof six);
  return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr) ? sizeof six : 0;
}

} // namespace

Expected<int> acceptOne(std::string_view address) {
  size_t colon = address.rfind(':');
  uint16_t port = 0;
  std::string_view digits = colon == std::string_view::npos ? "" : address.substr(colon + 1);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
    return Error("listen= takes HOST:PORT");
  sockaddr_storage storage{};
  socklen_t size = loopback(std::string(address.substr(0, colon)), port, storage);
  if (size == 0)
    return Error("listen= takes loopback addresses only; farside executor --listen is for others");
  auto *generic = reinterpret_cast<sockaddr *>(&storage);
  UniqueFd listener(::socket(generic->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  if (!listener || ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0)
    return systemError("cannot listen");
  if (port == 0) // sin_port and sin6_port lie at one place
    std::fprintf(stderr, "listening on port %u\n",
                 ntohs(reinterpret_cast<sockaddr_in *>(generic)->sin_port));
  int connection = -1;
  do
    connection = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  while (connection < 0 && errno == EINTR);
  if (connection < 0)
    return systemError("cannot accept a connection");
  ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connection;
}

} // namespace farside
