// What Clang takes without a word, though something that an earlier cell declared goes against it.
//
// How names are hidden is not known here, nor that a cell may be compiled once more.
#pragma once

#include <vector>

namespace clang {
class NamedDecl;
class Sema;
} // namespace clang

namespace farside {

class CellDeclarations;

/// Says of a declaration, as Clang would, that it cannot stand beside what an earlier cell
/// declared.
void rejectTolerated(clang::Sema &sema, const CellDeclarations &declared, clang::NamedDecl &decl);

/// What earlier cells declared under the name of a new declaration, so that the name would mean the
/// old, or both. It is to mean the new.
std::vector<clang::NamedDecl *> othersOfName(clang::Sema &sema, const CellDeclarations &declared,
                                             const clang::NamedDecl &decl);

} // namespace farside
