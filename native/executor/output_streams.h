// Standard output and error of a program that shares its process with others.
//
// Where the output of cells is captured, the two descriptors lead to the session's pipes while a
// call runs, and elsewhere between the calls. What other threads of the process write meanwhile is
// captured, too: a process has one descriptor 1.
#pragma once

#include "fd.h"

#include <semaphore.h>

namespace farside {

class OutputStreams {
public:
  /// Empty descriptors: the cells write to where everybody does, and nothing is changed. `turn` is
  /// held from `toProgram` to `toOthers`; all users of this process share it.
  OutputStreams(UniqueFd out, UniqueFd err, ::sem_t *turn);

  /// Flushes what others have buffered, and leads the descriptors to the session. Waits for its
  /// turn, unless `givesUp` becomes true when a signal comes; then false.
  bool toProgram(const volatile bool &givesUp);

  /// Leads them back to where they led. With `flush` after what the program has buffered. Does
  /// nothing where they do.
  void toOthers(bool flush);

private:
  UniqueFd Out;
  UniqueFd Err;
  ::sem_t *Turn;
  UniqueFd OthersOut;
  UniqueFd OthersErr;
  bool Ours = false;
};

} // namespace farside
