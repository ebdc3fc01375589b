#include "output_streams.h"

#include "run_report.h"

#include <cerrno>
#include <unistd.h>

namespace farside {

namespace {

/// Has `standard` lead to where `target` does, and returns where it led; empty if it was closed.
UniqueFd lead(int standard, int target) {
  UniqueFd before = duplicateHigh(standard);
  ::dup2(target, standard);
  return before;
}

void leadBack(int standard, UniqueFd before) {
  if (before)
    ::dup2(before.get(), standard);
  else
    ::close(standard);
}

} // namespace

OutputStreams::OutputStreams(UniqueFd out, UniqueFd err, ::sem_t *turn)
    : Out(std::move(out)), Err(std::move(err)), Turn(turn) {}

bool OutputStreams::toProgram(const volatile bool &givesUp) {
  if (!Out)
    return true;
  while (::sem_wait(Turn) != 0)
    if (errno != EINTR || givesUp)
      return false;
  flushOutput();
  OthersOut = lead(STDOUT_FILENO, Out.get());
  OthersErr = lead(STDERR_FILENO, Err.get());
  Ours = true;
  return true;
}

void OutputStreams::toOthers(bool flush) {
  if (!Ours)
    return;
  if (flush)
    flushOutput();
  leadBack(STDOUT_FILENO, std::move(OthersOut));
  leadBack(STDERR_FILENO, std::move(OthersErr));
  Ours = false;
  ::sem_post(Turn);
}

} // namespace farside
