#include "cell_declarations.h"

#include "redeclared.h"

#include "clang/AST/Decl.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/Preprocessor.h"

namespace farside {

using namespace clang;

void CellDeclarations::begin(unsigned cell, FileID file) {
  Cell = cell;
  if (Declared.size() <= cell) {
    Declared.resize(cell + 1);
    Files.resize(cell + 1);
  }
  Files[cell] = file;
}

void CellDeclarations::add(NamedDecl &decl) {
  std::vector<NamedDecl *> &all = Declared[Cell];
  DeclarationId id{Cell, static_cast<unsigned>(all.size())};
  ByPlace.try_emplace(decl.getLocation(), id);
  ByPlace.try_emplace(placeOf(decl), id);
  all.push_back(&decl);
}

void CellDeclarations::addInstance(NamedDecl &made) { Declared[Cell].push_back(&made); }

FileID CellDeclarations::fileOf(unsigned cell) const {
  return cell < Files.size() ? Files[cell] : FileID();
}

NamedDecl *CellDeclarations::find(const DeclarationId &id) const {
  bool known = id.cell < Declared.size() && id.index < Declared[id.cell].size();
  return known ? &(*this)[id] : nullptr;
}

std::optional<DeclarationId> CellDeclarations::at(SourceLocation place) const {
  auto found = ByPlace.find(place);
  return found != ByPlace.end() ? std::optional(found->second) : std::nullopt;
}

std::optional<DeclarationId> CellDeclarations::earlierAt(SourceLocation place) const {
  auto id = at(place);
  return id && id->cell != Cell ? id : std::nullopt;
}

std::optional<DeclarationId> CellDeclarations::firstEarlier(Predicate isLike) const {
  for (unsigned cell = 0; cell < Cell; ++cell)
    for (unsigned i = 0; i < Declared[cell].size(); ++i)
      if (isLike(*Declared[cell][i]))
        return DeclarationId{cell, i};
  return std::nullopt;
}

std::optional<DeclarationId> CellDeclarations::latestEarlier(Predicate isLike) const {
  for (unsigned cell = Cell; cell-- > 0;)
    for (unsigned i = 0; i < Declared[cell].size(); ++i)
      if (isLike(*Declared[cell][i]))
        return DeclarationId{cell, i};
  return std::nullopt;
}

std::vector<DeclarationId> CellDeclarations::allEarlier(Predicate isLike) const {
  std::vector<DeclarationId> all;
  for (unsigned cell = 0; cell < Cell; ++cell)
    for (unsigned i = 0; i < Declared[cell].size(); ++i)
      if (isLike(*Declared[cell][i]))
        all.push_back({cell, i});
  return all;
}

std::optional<DeclarationId> CellDeclarations::idOf(const NamedDecl &decl) const {
  return firstEarlier([entity = decl.getCanonicalDecl()](const NamedDecl &each) {
    return each.getCanonicalDecl() == entity;
  });
}

std::optional<DeclarationId>
CellDeclarations::earlierMacro(const IdentifierInfo &name, const Preprocessor &preprocessor) const {
  if (!name.hasMacroDefinition())
    return std::nullopt;
  const SourceManager &sources = preprocessor.getSourceManager();
  SourceLocation at = preprocessor.getMacroInfo(&name)->getDefinitionLoc();
  for (unsigned cell = 1; cell < Cell; ++cell)
    if (Files[cell].isValid() && Files[cell] == sources.getFileID(at))
      return DeclarationId{cell, sources.getFileOffset(at), DeclarationId::macro};
  return std::nullopt;
}

} // namespace farside
