// Symbols of what a cell defines again, told from those of what earlier cells defined.
#pragma once

namespace clang {
class FunctionDecl;
class NamedDecl;
class TagDecl;
class VarDecl;
} // namespace clang

namespace farside {

/// Gives an entity, and all that has its name within its own, symbols with a tag of the cell.
void giveOwnSymbols(clang::NamedDecl &decl, unsigned cell);

/// Gives a static data member a symbol with a tag of the cell in place of the one that it had.
void giveMemberNewSymbol(clang::VarDecl &member, unsigned cell);

/// The same for what was made of a template's, which has a guard of its initialiser besides.
void giveInstanceNewSymbols(clang::VarDecl &instance, unsigned cell);

/// Gives a declaration the symbol of a function that it stands for but that Clang takes for
/// another.
void takeSymbolOf(clang::FunctionDecl &function, const clang::FunctionDecl &old);

/// Leaves a function that is defined again the symbols of the old, but gives what is local to the
/// new body, such as its static variables and closures, symbols of the cell; see renameLocalType
/// for types that are local to it.
void renameWithin(clang::FunctionDecl &function, const clang::FunctionDecl &old, unsigned cell);

/// Gives a type that is local to such a body, and all that has its name within its own, symbols
/// that nothing in the bodies of the `old` function has. To be called once, when the type is
/// complete: what Clang parses next may need the symbols.
void renameLocalType(clang::TagDecl &tag, const clang::FunctionDecl &function,
                     const clang::FunctionDecl &old, unsigned cell);

} // namespace farside
