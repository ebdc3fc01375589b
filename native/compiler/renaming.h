// Symbols of what a cell defines again, told from those of what earlier cells defined.
#pragma once

namespace clang {
class FunctionDecl;
class NamedDecl;
} // namespace clang

namespace farside {

/// Gives an entity, and all that has its name within its own, symbols with a tag of the cell.
void giveOwnSymbols(clang::NamedDecl &decl, unsigned cell);

/// Leaves a function that is defined again the symbol of the old, but gives what is local to the
/// new body, such as its static variables and closures, symbols with a tag of the cell.
void renameWithin(clang::FunctionDecl &function, const clang::FunctionDecl &old, unsigned cell);

} // namespace farside
