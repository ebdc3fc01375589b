#include "connection.h"

#include "clock.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <poll.h>

namespace farside {

namespace {
// Generous: LLVM's own clients set no limit. The payload's memory follows the bytes received.
constexpr uint64_t maxMessageSize = uint64_t{1} << 36;
constexpr size_t firstPayloadChunk = size_t{1} << 20;
} // namespace

void Frame::Free::operator()(char *bytes) const { std::free(bytes); }

Connection::Connection(UniqueFd in, UniqueFd out)
    : In(std::move(in)), Out(std::move(out)), Buffer(new char[BufferSize]) {}

void Connection::close() {
  In.reset();
  Out.reset();
}

bool Connection::readExactly(char *data, size_t size, bool &anything) {
  while (size != 0) {
    if (Begin != End) {
      size_t part = std::min(size, End - Begin);
      std::memcpy(data, Buffer.get() + Begin, part);
      Begin += part;
      data += part;
      size -= part;
      anything = true;
      continue;
    }
    bool direct = size >= BufferSize;
    ssize_t got =
        receiveSome(In.get(), direct ? data : Buffer.get(), direct ? size : BufferSize, Passed);
    if (got <= 0)
      return false;
    anything = true;
    if (direct) {
      data += got;
      size -= static_cast<size_t>(got);
    } else {
      Begin = 0;
      End = static_cast<size_t>(got);
    }
  }
  return true;
}

ReceiveStatus Connection::receive(Frame &frame) {
  bool anything = false;
  if (!readExactly(reinterpret_cast<char *>(&frame.Header), sizeof(FrameHeader), anything))
    return anything ? ReceiveStatus::Broken : ReceiveStatus::EndOfFile;
  uint64_t total = frame.Header.MessageSize;
  if (total < sizeof(FrameHeader) || total > maxMessageSize ||
      frame.Header.Opcode > static_cast<uint64_t>(Opcode::CallWrapper))
    return ReceiveStatus::BadMessage;

  frame.Size = static_cast<size_t>(total - sizeof(FrameHeader));
  frame.Payload.reset();
  size_t have = 0;
  while (have < frame.Size || !frame.Payload) {
    size_t want = std::min(frame.Size, have == 0 ? firstPayloadChunk : have * 4);
    auto *grown = static_cast<char *>(std::realloc(frame.Payload.get(), std::max<size_t>(want, 1)));
    if (grown == nullptr)
      return ReceiveStatus::BadMessage;
    (void)frame.Payload.release();
    frame.Payload.reset(grown);
    if (!readExactly(grown + have, want - have, anything))
      return ReceiveStatus::Broken;
    have = want;
  }
  frame.Descriptor = std::move(Passed);
  return ReceiveStatus::Frame;
}

bool Connection::look(uint64_t nanoseconds) const {
  if (hasBuffered())
    return true;
  if (nanoseconds == 0)
    return false;
  pollfd incoming{In.get(), POLLIN, 0};
  uint64_t end = monotonicNanoseconds() + nanoseconds;
  do
    if (::poll(&incoming, 1, 0) > 0)
      return true;
  while (monotonicNanoseconds() < end);
  return false;
}

bool Connection::send(Opcode opcode, uint64_t sequenceNumber, uint64_t tag,
                      std::string_view payload) {
  FrameHeader header{sizeof(FrameHeader) + payload.size(), static_cast<uint64_t>(opcode),
                     sequenceNumber, tag};
  iovec parts[] = {{&header, sizeof header}, {const_cast<char *>(payload.data()), payload.size()}};
  return writeAll(outFd(), payload.empty() ? std::span(parts, 1) : std::span(parts));
}

} // namespace farside
