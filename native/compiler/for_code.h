// What language options hold while code is generated.
#pragma once

#include "clang/Basic/LangOptions.h"

#include <algorithm>

namespace farside {

/// While it lives, evaluations of constants give up after few steps, and there are more cells to
/// come.
///
/// For code generation: what has to be a constant, Clang has found the value of when it checked the
/// program, with all the steps that the language options grant. The code generator asks beyond that
/// whether other expressions happen to be constants, the operand of each `return` for one. As a
/// lambda is `constexpr` unless it says otherwise, and so are the functions of the library that
/// calls it (any function, since C++23), it would run a thread's endless loop until the limit of a
/// million steps, once for every function between the thread's first and the lambda.
///
/// Whether more is to come, the parser is told otherwise for a while (CellParser::watch). The code
/// generator remembers what another module may need again.
class ForCode {
public:
  explicit ForCode(clang::LangOptions &language)
      : Language(language), Granted(language.ConstexprStepLimit),
        Continues(language.IncrementalExtensions) {
    Language.ConstexprStepLimit = std::min(Granted, Limit);
    Language.IncrementalExtensions = true;
  }
  ForCode(const ForCode &) = delete;
  ForCode &operator=(const ForCode &) = delete;
  ~ForCode() {
    Language.ConstexprStepLimit = Granted;
    Language.IncrementalExtensions = Continues;
  }

private:
  /// Enough for tables of a thousand elements; an endless loop costs some milliseconds.
  static constexpr unsigned Limit = 4096;

  clang::LangOptions &Language;
  unsigned Granted;
  bool Continues;
};

} // namespace farside
