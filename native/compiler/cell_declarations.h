// What every cell has declared, found again by its number or its place.
//
// What becomes of a declaration is not known here: it is still found when it has been hidden, or
// has another symbol.
#pragma once

#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringSet.h"

#include <compare>
#include <optional>
#include <vector>

namespace clang {
class IdentifierInfo;
class NamedDecl;
class Preprocessor;
} // namespace clang

namespace farside {

/// A declaration of an earlier cell, in any compiler process that knows the cell: which of the
/// declarations in it, counted from 0.
struct DeclarationId {
  enum Part : unsigned {
    whole,
    body,      ///< of a function, so that the new definition is of the same function
    macro,     ///< no declaration but a macro; `index` is where in the cell its name is defined
    again,     ///< of a function that an earlier cell hid: it is not hidden but found again
    arguments, ///< the default arguments of a function
    outside,   ///< all of it, to be defined outside of the scope that it is to be declared in
    instance,  ///< what was made of a template, or of a member of one, to be specialised
    constant,  ///< the body of a function, to be defined as a constexpr one or as one no more
    kept       ///< a function that keeps its body, which was made of another of its template's
  };

  unsigned cell = 0;
  unsigned index = 0;
  Part part = whole;

  friend auto operator<=>(const DeclarationId &, const DeclarationId &) = default;
};

/// Numbers what cells declare. "Earlier" is what a cell before the present one has declared.
class CellDeclarations {
public:
  using Predicate = llvm::function_ref<bool(clang::NamedDecl &)>;

  /// Begins a cell, which is in `file`.
  void begin(unsigned cell, clang::FileID file);

  /// Takes a declaration of the present cell.
  void add(clang::NamedDecl &decl);
  /// Takes what was made of a template, which lies where that does and is not found by its place.
  void addInstance(clang::NamedDecl &made);
  /// Takes a name that the present cell declares.
  void addName(llvm::StringRef name) { Names.insert(name); }

  /// The present cell.
  unsigned cell() const { return Cell; }
  clang::FileID file() const { return Files[Cell]; }
  /// The file of any cell; invalid if that is not known.
  clang::FileID fileOf(unsigned cell) const;

  /// What cells have declared, by cell.
  llvm::ArrayRef<std::vector<clang::NamedDecl *>> byCell() const { return Declared; }

  /// The declaration of this number, which must be one that was found here.
  clang::NamedDecl &operator[](const DeclarationId &id) const {
    return *Declared[id.cell][id.index];
  }
  /// The same for a number from elsewhere; null if there is none.
  clang::NamedDecl *find(const DeclarationId &id) const;

  /// The declaration whose name is at a place.
  std::optional<DeclarationId> at(clang::SourceLocation place) const;
  /// The same if an earlier cell has declared it.
  std::optional<DeclarationId> earlierAt(clang::SourceLocation place) const;

  /// The first earlier declaration that is like that.
  std::optional<DeclarationId> firstEarlier(Predicate isLike) const;
  /// The first one in the latest of earlier cells that has any.
  std::optional<DeclarationId> latestEarlier(Predicate isLike) const;
  /// All of them.
  std::vector<DeclarationId> allEarlier(Predicate isLike) const;

  /// The first earlier declaration that is this one or another of the same entity.
  std::optional<DeclarationId> idOf(const clang::NamedDecl &decl) const;

  /// The macro of this name, if an earlier cell has defined it.
  std::optional<DeclarationId> earlierMacro(const clang::IdentifierInfo &name,
                                            const clang::Preprocessor &preprocessor) const;

  bool hasNames() const { return !Names.empty(); }
  bool hasName(llvm::StringRef name) const { return Names.contains(name); }

private:
  unsigned Cell = 0;
  std::vector<std::vector<clang::NamedDecl *>> Declared; // by cell
  std::vector<clang::FileID> Files;                      // by cell
  llvm::DenseMap<clang::SourceLocation, DeclarationId> ByPlace;
  llvm::StringSet<> Names;
};

} // namespace farside
