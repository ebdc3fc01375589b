// What the declarations of earlier cells and of this one are to each other, and to name lookup.
#pragma once

#include "clang/AST/Type.h"
#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <vector>

namespace clang {
class DeclContext;
class FunctionDecl;
class NamedDecl;
class Sema;
class TagDecl;
} // namespace clang

namespace farside {

/// Where the name of a declaration is; an alias template lies at its `using`.
clang::SourceLocation placeOf(const clang::NamedDecl &decl);

/// What lookup finds for a declaration: of a template's pattern, the template.
clang::NamedDecl &found(clang::NamedDecl &decl);

/// The definition of a static data member outside of its class.
bool isStaticMember(const clang::NamedDecl &decl);

/// The scope that an unnamed namespace is in, for what is declared there; else the scope itself.
const clang::DeclContext &withoutUnnamed(const clang::DeclContext &context);

/// Makes name lookup forget a declaration, in whatever scopes it finds it.
void removeFromLookup(clang::Sema &sema, clang::NamedDecl &decl);

/// All declarations of the entity that lookup finds; it finds the newest of each scope.
std::vector<clang::NamedDecl *> visible(clang::Sema &sema, clang::NamedDecl &decl);

/// Whether two functions would have one symbol in one program.
bool haveOneSymbol(const clang::NamedDecl &before, const clang::NamedDecl &now);

/// `auto f()`.
bool hasDeducedResult(const clang::FunctionDecl &function);

/// Whether the later of such functions takes the place of the earlier. Of an inline function that
/// no cell has used there is nothing yet, and Clang would make it from the old definition where the
/// new one is used.
bool takesPlaceOf(const clang::NamedDecl &now, const clang::NamedDecl &before);

/// `typedef struct S { … } S;`: the alias means the class wherever the class itself is unknown.
bool isAliasOfSameName(const clang::NamedDecl &decl, const clang::TagDecl &tag);

/// Two functions that can be overloads of one another: neither takes the other's place.
bool areOverloads(const clang::NamedDecl &before, const clang::NamedDecl &now);

/// Whether a declaration is of a member, at any depth, of a class or of what is made of its
/// template.
bool isMemberOf(const clang::NamedDecl &member, const clang::NamedDecl &owner);

/// Whether one of the classes and enumerations that a type is made of, such as what it points to
/// and the arguments of its template, is like that.
bool isMadeOf(clang::QualType type, llvm::function_ref<bool(const clang::TagDecl &)> isLike);

} // namespace farside
