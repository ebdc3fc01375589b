#include "pace.h"

#include "clock.h"

#include <algorithm>
#include <sched.h>

namespace farside {

namespace {

constexpr uint64_t quickly = 300'000; // nanoseconds, with what it takes to be woken on both sides
constexpr uint32_t most = 1024;

/// Who looks for a message on the only processor keeps the other side from sending it.
bool hasProcessors() {
  cpu_set_t allowed;
  return ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 1;
}

} // namespace

void Pace::answered() { AnsweredAt = monotonicNanoseconds(); }

void Pace::came(bool slept) {
  if (Looks) {
    Looks = !slept;
    Wanted = slept ? std::min(2 * Wanted, most) : fewest;
    Quick = slept ? 0 : Quick;
    return;
  }
  Quick = monotonicNanoseconds() - AnsweredAt < quickly ? Quick + 1 : 0;
  Looks = Quick >= Wanted && hasProcessors();
}

} // namespace farside
