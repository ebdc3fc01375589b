// Calls of user code, after which the processor is fit for ours.
#pragma once

namespace farside {

/// Puts the processor, at its end, into the state that the ABI wants between calls. Inline assembly
/// may forget to clear the direction flag, with which every `rep movs` of libc runs backwards, or
/// to pop the x87 stack, on which the next value is a NaN. Rounding modes and masks of exceptions
/// are left as they are: a program sets those on purpose.
class ProcessorState {
public:
  ProcessorState() = default;
  ProcessorState(const ProcessorState &) = delete;
  ProcessorState &operator=(const ProcessorState &) = delete;
  ~ProcessorState() {
#if defined(__x86_64__)
    // `emms` empties the stack by its tags and touches nothing else. The compiler keeps nothing in
    // these registers across a call.
    __asm__ volatile("cld\n\temms" ::: "cc", "memory");
#endif
  }
};

/// Calls a function that is not ours, and returns what it does.
template <typename Function, typename... Arguments>
inline auto callUserCode(Function function, Arguments... arguments) {
  ProcessorState state; // also where it ends by an exception
  return function(arguments...);
}

} // namespace farside
