// Functions that look the same in the program's text and are two to Clang.
#pragma once

namespace clang {
class NamedDecl;
class Sema;
} // namespace clang

namespace farside {

/// Whether two functions look the same to who reads them, but a type in one of them has been
/// defined again since: `int f(S)` of the old S and of the new. Templates may differ in their
/// results as well.
bool areWrittenAlike(clang::Sema &sema, const clang::NamedDecl &before,
                     const clang::NamedDecl &now);

} // namespace farside
