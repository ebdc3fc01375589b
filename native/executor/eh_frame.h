// Reads .eh_frame sections: which code address each frame description is for.
#pragma once

#include "sps.h"

#include <cstdint>
#include <vector>

namespace farside {

/// One frame description entry of a section in memory.
struct FrameDescription {
  uint64_t Begin; // first code address
  uint64_t End;   // one past the last
  uint64_t Fde;   // where the entry itself lies
};

/// Reads the section that lies at `section`, up to a zero terminator or its end (LSB, "Exception
/// Frames"). Entries for no code are left out. Nothing outside the section is read.
Expected<std::vector<FrameDescription>> readEhFrame(AddrRange section);

} // namespace farside
