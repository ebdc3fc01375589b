// How far Clang's code generator goes to find out that an expression is a constant.
#pragma once

#include "clang/Basic/LangOptions.h"

#include <algorithm>

namespace farside {

/// While it lives, evaluations of constants give up after few steps.
///
/// For code generation: what has to be a constant, Clang has found the value of when it checked the
/// program, with all the steps that the language options grant. The code generator asks beyond that
/// whether other expressions happen to be constants, the operand of each `return` for one. As a
/// lambda is `constexpr` unless it says otherwise, and so are the functions of the library that
/// calls it (any function, since C++23), it would run a thread's endless loop until the limit of a
/// million steps, once for every function between the thread's first and the lambda.
class FewerSteps {
public:
  explicit FewerSteps(clang::LangOptions &language)
      : Language(language), Granted(language.ConstexprStepLimit) {
    Language.ConstexprStepLimit = std::min(Granted, Limit);
  }
  FewerSteps(const FewerSteps &) = delete;
  FewerSteps &operator=(const FewerSteps &) = delete;
  ~FewerSteps() { Language.ConstexprStepLimit = Granted; }

private:
  /// Enough for tables of a thousand elements; an endless loop costs some milliseconds.
  static constexpr unsigned Limit = 4096;

  clang::LangOptions &Language;
  unsigned Granted;
};

} // namespace farside
