// What every session knows of display before its first cell: the far side's functions and, in C++,
// the templates that walk the library's types.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace farside {

/// Of the number that is the second argument of `show<T, G>`: the value is given, not shown.
constexpr unsigned GivenBit = 1U << 31;

/// What Clang knows the text as.
constexpr llvm::StringLiteral OwnHeaderName = "<farside>";

/// The text, for C++ (from C++11 on) or C. It includes nothing and all its names are reserved ones.
llvm::StringRef shownHeader(bool cxx);

} // namespace farside
