// Whether the user has asked the running cell to end.
//
// With `--on-interrupt=keep` a first Ctrl-C takes nothing back. It is for code that looks for it,
// ends its work and returns; the cell is then accepted like any other. A second Ctrl-C takes the
// cell back.
//
//   while (!farside::interrupted())
//     step();
//
// It takes a few nanoseconds, in any thread and in forked children. It is false again in the next
// cell.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// 1 if the running cell was asked to end, else 0.
int __farside_interrupted(void);

#ifdef __cplusplus
} // extern "C"

namespace farside {

/// Whether the running cell was asked to end.
inline bool interrupted() noexcept { return __farside_interrupted() != 0; }

} // namespace farside
#endif
