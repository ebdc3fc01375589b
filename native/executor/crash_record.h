// The layout of the memory in which a dying worker leaves its record; `farside/remote/record.py`
// reads it. All of it may be garbage: the program can write to it as to any of its memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace farside {

constexpr uint32_t crashMagic = 0x68746431; // "1dth"
constexpr size_t firstFrames = 64;          // innermost frames
constexpr size_t lastFrames = 64;           // outermost frames, a ring
constexpr size_t maxFrames = firstFrames + lastFrames;

/// One frame. Names are offsets into the text, 0 for none.
struct CrashFrame {
  uint64_t Pc;     // an address within the instruction that runs or calls
  uint64_t Offset; // of Pc, from the start of the library
  uint32_t Symbol;
  uint32_t Library;
};

/// The part with a fixed place. 0x7fffffff in `RangeProt` says that nobody looked.
struct CrashHeader {
  uint32_t Magic;
  uint32_t Kind; // 1 signal, else an ExitKind
  int32_t Process;
  int32_t Thread;
  int32_t Signal;
  int32_t Code; // si_code
  int32_t Sender;
  uint32_t RangeProt; // of the mapping at Address, ORC's bits; 0x80000000 if there is none
  uint64_t Address;   // si_addr
  uint64_t Pc;
  uint64_t Sp;
  uint64_t Error;    // the page fault's error code
  uint64_t Trap;     // the processor's trap number
  uint64_t StackLow; // of the thread
  uint64_t StackHigh;
  uint64_t RangeStart;
  uint64_t RangeEnd;
  uint64_t FramesSeen;
  uint32_t RangeName;
  uint32_t Message;   // of libc's abort
  uint32_t Exception; // what std::terminate was called for
  uint32_t TextSize;
};
static_assert(sizeof(CrashHeader) == 128 && sizeof(CrashFrame) == 24);

struct CrashRecord {
  CrashHeader Header;
  CrashFrame Frames[maxFrames];
  char Text[16384];
  std::atomic<uint64_t> Written; // bytes that the process had written before the call it serves
  std::atomic<uint64_t> Begun;   // one more than the highest number of a call, as `noteBegun` says
  std::atomic<uint64_t> Interrupted; // the call that the user wants to end, as `interruptCall` says
  std::atomic<int32_t> Owner;        // the process whose death is recorded
  std::atomic<int32_t> Crasher;      // the thread that writes, 0 for none
};

} // namespace farside
