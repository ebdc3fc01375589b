// Waiting for the next message without sleeping, while messages follow each other quickly.
//
// A process that sleeps is woken some tens of microseconds late, on another processor than the one
// that has its data. A call from Python takes less than that, and programs make many in a row. So
// while they do, the next one is looked for a moment before the thread sleeps. One that does not
// come in that moment makes the next attempts rarer; nothing is looked for while nobody calls.
#pragma once

#include <cstdint>

namespace farside {

class Pace {
public:
  /// Nanoseconds for which the next message is to be looked for before the thread sleeps.
  uint64_t patience() const { return Looks ? 60'000 : 0; }

  /// Whether the next message is expected at once.
  bool isQuick() const { return Quick != 0; }

  /// A message was answered.
  void answered();

  /// The next message came; `slept` tells whether the thread slept until then.
  void came(bool slept);

private:
  uint64_t AnsweredAt = 0;
  uint32_t Quick = 0;       // messages that came quickly, in a row
  uint32_t Wanted = fewest; // so many are waited for before the next one is looked for
  bool Looks = false;

  static constexpr uint32_t fewest = 4;
};

} // namespace farside
