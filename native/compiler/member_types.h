// Classes and enumerations that are defined outside of the class or namespace that declares them.
#pragma once

namespace clang {
class NamedDecl;
class Sema;
class TagDecl;
} // namespace clang

namespace farside {

/// Whether a declaration defines a type outside of the scope that it belongs to, as in
/// `struct S::Inner {…};`, whose other declaration a second definition needs.
bool isDefinedOutside(const clang::NamedDecl &decl);

/// Declares such a type once more, as another one under its name, with a tag of the cell. The old
/// one must not be known to lookup any more.
void declareAnew(clang::Sema &sema, clang::TagDecl &old, unsigned cell);

} // namespace farside
