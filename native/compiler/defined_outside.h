// What is defined outside of the class or namespace that declares it.
#pragma once

namespace clang {
class NamedDecl;
class Sema;
} // namespace clang

namespace farside {

/// Whether a declaration defines a type, a class template or a variable outside of the scope that
/// it belongs to, as in `struct S::Inner {…};` or `int space::x = 1;`: only there, another
/// declaration of it is needed. What is a member of a class but no type has declarations that stay.
bool isDefinedOutside(const clang::NamedDecl &decl);

/// Whether what is like this could be defined outside of its scope, and has been or not.
bool canBeDeclaredAnew(const clang::NamedDecl &decl);

/// Declares a type, template or variable once more in its scope, as another one under its name,
/// with a tag of the cell, for a definition outside of the scope to follow. The old one must not be
/// known to lookup any more.
void declareAnew(clang::Sema &sema, clang::NamedDecl &old, unsigned cell);

} // namespace farside
