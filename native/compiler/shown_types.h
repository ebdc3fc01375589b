// What display has to know of types: which are shown by their bytes, and what others are called.
#pragma once

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/Type.h"

#include <optional>
#include <string>

namespace farside {

/// The kind of a type that is shown by the bytes of its value; nothing for other types.
std::optional<unsigned> scalarKind(const clang::ASTContext &context, clang::QualType type);

/// The kind of a string whose code units are of this type; nothing for types that are none.
std::optional<unsigned> stringKind(const clang::ASTContext &context, clang::QualType unit);

/// The kind of a number, as it is given to Python: not a character, nor an enumeration or pointer.
std::optional<unsigned> numberKind(const clang::ASTContext &context, clang::QualType type);

/// An array as numbers that lie one after the other.
struct Numbers {
  unsigned kind;
  uint64_t size;     ///< of an element
  std::string inner; ///< the inner dimensions, as __farside_numbers takes them
};

/// How an array whose elements are of this type is an array of numbers; nothing where it is none.
/// Elements that are arrays themselves, C's or the library's, add dimensions.
std::optional<Numbers> numbersOf(const clang::ASTContext &context, clang::QualType element);

/// Whether an array whose elements are of this type is bytes rather than numbers.
bool isByte(clang::QualType element);

/// The type as it is shown to the user.
std::string typeName(const clang::ASTContext &context, clang::QualType type);

/// How a class of the standard library is shown, by its name; `other` for what has no own way.
enum class Library {
  none, ///< not of the library
  other,
  string,
  flat, ///< data() and size()
  list, ///< begin() and size() of contiguous elements
  map,
  range,
  pair,
  tuple,
  optional,
  variant,
  expected,
  any,
  function,
  smartPointer,
  weakPointer,
  reference,
  complex,
  bitset,
  bitReference,
  subMatch,
  duration,
  timePoint,
  date,
  number,
  weekday,
  path,
  atomic,
  atomicFlag,
  exceptionPointer,
  adaptor,
  iterator,
  ndspan,   ///< farside's own
  observed, ///< shown by what it tells of itself: show_observed.cpp
};

/// Whether a class of the standard library of this name is in the table of show_observed.cpp.
bool isObserved(llvm::StringRef name);

Library libraryClass(const clang::CXXRecordDecl &record);

/// The unit of a duration by its period, such as "ms"; `[3/2]s` for an odd one.
std::string durationUnit(const clang::CXXRecordDecl &duration);

/// The enumerators of an enumeration, `value NUL name NUL ... NUL`, after the underlying type and a
/// NUL; as __farside_enum wants it.
std::string enumeratorTable(const clang::ASTContext &context, const clang::EnumDecl &enumeration);

/// The data members of a class by offset, `offset NUL name NUL ... NUL`.
std::string memberTable(const clang::ASTContext &context, const clang::CXXRecordDecl &record);

} // namespace farside
