#include "call_steps.h"

#include "clock.h"
#include "run_report.h"
#include "user_code.h"

namespace farside {

namespace {

using CallEntry = void (*)(const void *, uint64_t, void *, uint64_t);

} // namespace

RunOutcome runCall(CallScope &scope, uint64_t header, uint64_t function, std::string_view arguments,
                   void *memory, uint64_t memorySize) {
  ValueCollector values;
  std::optional<ExceptionText> exception;
  uint64_t start = monotonicNanoseconds();
  scope.enter(header);
  try {
    callUserCode(reinterpret_cast<CallEntry>(function), arguments.data(), arguments.size(), memory,
                 memorySize);
  } catch (...) {
    exception = describeCurrentException();
  }
  uint64_t nanoseconds = monotonicNanoseconds() - start;
  scope.leave();
  flushOutput(); // what a call prints is there before its outcome is
  bool threw = exception.has_value();
  ExceptionText text = exception ? std::move(*exception) : ExceptionText{};
  return RunOutcome{0,
                    static_cast<uint8_t>(threw ? 1 : 0),
                    threw ? 0 : 1,
                    nanoseconds,
                    std::move(text.Type),
                    std::move(text.What),
                    values.take()};
}

} // namespace farside
