// One ORC SimpleRemoteEPC connection: frames of a 32-byte header and a payload.
#pragma once

#include "fd.h"

#include <cstdint>
#include <memory>
#include <string_view>

namespace farside {

enum class Opcode : uint64_t { Setup = 0, Hangup = 1, Result = 2, CallWrapper = 3 };

struct FrameHeader {
  uint64_t MessageSize; // header included
  uint64_t Opcode;
  uint64_t SequenceNumber;
  uint64_t TagAddress;
};
static_assert(sizeof(FrameHeader) == 32);

/// A received frame; it owns its payload.
struct Frame {
  struct Free {
    void operator()(char *bytes) const;
  };
  FrameHeader Header{};
  std::unique_ptr<char, Free> Payload;
  size_t Size = 0;
  UniqueFd Descriptor; // the last that came since the frame before
  std::string_view payload() const { return {Payload.get(), Size}; }
};

enum class ReceiveStatus {
  Frame,
  EndOfFile,  // at a message boundary: the peer closed the session
  Broken,     // end of file inside a message, or a read error
  BadMessage, // a header that the protocol does not allow
};

/// The two directions may be one socket or two pipes. It can be replaced as a whole, so that a
/// process that was asleep can be given a fresh one.
class Connection {
public:
  Connection() = default;
  Connection(UniqueFd in, UniqueFd out);

  /// Reads one frame. Memory for the payload grows with the bytes that arrive, not with what the
  /// header claims.
  ReceiveStatus receive(Frame &frame);

  /// Looks for a frame for so many nanoseconds, without sleeping; tells whether one has begun to
  /// come, or the end of the stream.
  bool look(uint64_t nanoseconds) const;

  /// Sends header and payload in one system call. False if the peer is gone.
  bool send(Opcode opcode, uint64_t sequenceNumber, uint64_t tag, std::string_view payload);

  /// Closes both directions; later sends fail.
  void close();

  /// Whether bytes of a further frame have been read already, so that nothing need be waited for.
  bool hasBuffered() const { return Begin != End; }

private:
  bool readExactly(char *data, size_t size, bool &anything);
  int outFd() const { return Out ? Out.get() : In.get(); }

  UniqueFd In;
  UniqueFd Out; // empty when In serves both directions
  // Small messages arrive with one read: header and payload together.
  static constexpr size_t BufferSize = 16384;
  std::unique_ptr<char[]> Buffer;
  size_t Begin = 0;
  size_t End = 0;
  UniqueFd Passed;
};

} // namespace farside
