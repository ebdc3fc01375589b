#include "redefinition.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclContextInternals.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "clang/Sema/IdentifierResolver.h"
#include "clang/Sema/Scope.h"
#include "clang/Sema/Sema.h"

namespace farside {

using namespace clang;

namespace {

/// What lookup finds for a declaration: of a template's pattern, the template.
NamedDecl &found(NamedDecl &decl) {
  if (TemplateDecl *described = decl.getDescribedTemplate())
    return *described;
  return decl;
}

/// A member outside of its class, or a specialisation, which another declaration brought into its
/// scope: hiding it would not make it unknown.
bool isDeclaredElsewhere(const FunctionDecl &function) {
  return function.isCXXClassMember() || function.isFunctionTemplateSpecialization();
}

bool canBeHidden(const NamedDecl &decl) {
  if (const auto *function = dyn_cast<FunctionDecl>(&decl);
      function && isDeclaredElsewhere(*function))
    return false;
  if (isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl, NamespaceDecl>(decl))
    return false;
  return decl.getDeclContext()->getRedeclContext()->isFileContext();
}

/// Whether a definition of the same function can follow when this one's body is gone. A return type
/// that was deduced would stay.
bool canLoseBody(const NamedDecl &decl) {
  const auto *function = dyn_cast<FunctionDecl>(&decl);
  return function && function->doesThisDeclarationHaveABody() &&
         !function->getDeclaredReturnType()->getContainedAutoType();
}

void removeFrom(DeclContext &context, NamedDecl &decl) {
  if (StoredDeclsMap *map = context.getPrimaryContext()->getLookupPtr())
    if (auto entry = map->find(decl.getDeclName()); entry != map->end())
      if (llvm::is_contained(entry->second.getLookupResult(), &decl))
        entry->second.remove(&decl);
}

void removeFromLookup(Sema &sema, NamedDecl &decl) {
  // There Clang looks whether what is extern "C" is the same wherever it is declared.
  removeFrom(*decl.getASTContext().getExternCContextDecl(), decl);
  for (DeclContext *context = decl.getDeclContext(); context; context = context->getParent()) {
    removeFrom(*context, decl);
    if (!context->isTransparentContext())
      break;
  }
  if (sema.TUScope && sema.TUScope->isDeclScope(&decl)) {
    sema.IdResolver.RemoveDecl(&decl);
    sema.TUScope->RemoveDecl(&decl);
  }
}

/// All declarations of the entity that lookup finds; it finds the newest of each scope.
std::vector<NamedDecl *> visible(Sema &sema, const NamedDecl &decl) {
  std::vector<NamedDecl *> all;
  auto add = [&](NamedDecl *other) {
    if (other->getCanonicalDecl() == decl.getCanonicalDecl() && !llvm::is_contained(all, other))
      all.push_back(other);
  };
  for (const DeclContext *context = decl.getDeclContext(); context;
       context = context->getParent()) {
    if (StoredDeclsMap *map = context->getPrimaryContext()->getLookupPtr())
      if (auto entry = map->find(decl.getDeclName()); entry != map->end())
        for (NamedDecl *other : entry->second.getLookupResult())
          add(other);
    if (!context->isTransparentContext())
      break;
  }
  for (auto i = sema.IdResolver.begin(decl.getDeclName()); i != sema.IdResolver.end(); ++i)
    add(*i);
  return all;
}

bool isSameFunction(const NamedDecl &before, const NamedDecl &now) {
  const auto *old = dyn_cast<FunctionDecl>(&before);
  const auto *function = dyn_cast<FunctionDecl>(&now);
  return old && function && old->getFormalLinkage() == function->getFormalLinkage() &&
         old->isExternC() == function->isExternC() &&
         function->getASTContext().hasSameType(old->getType(), function->getType());
}

/// `typedef struct S { … } S;`: the alias means the class wherever the class itself is unknown.
bool isAliasOfSameName(const NamedDecl &decl, const TagDecl &tag) {
  const auto *alias = dyn_cast<TypedefNameDecl>(&decl);
  if (!alias || !alias->getDeclContext()->getRedeclContext()->Equals(
                    tag.getDeclContext()->getRedeclContext()))
    return false;
  const TagDecl *named = alias->getUnderlyingType()->getAsTagDecl();
  return named && named->getCanonicalDecl() == tag.getCanonicalDecl();
}

/// Two functions that can be overloads of one another: neither takes the other's place.
bool areOverloads(const NamedDecl &before, const NamedDecl &now) {
  const auto *old = dyn_cast<FunctionDecl>(&before);
  const auto *function = dyn_cast<FunctionDecl>(&now);
  const ASTContext &ast = now.getASTContext();
  if (!old || !function || !ast.getLangOpts().CPlusPlus ||
      (old->isExternC() && function->isExternC()))
    return false;
  if (old->getNumParams() != function->getNumParams())
    return true;
  for (unsigned i = 0; i < old->getNumParams(); ++i)
    if (!ast.hasSameUnqualifiedType(old->getParamDecl(i)->getType(),
                                    function->getParamDecl(i)->getType()))
      return true;
  return false;
}

/// The declaration whose symbols are to be told from the old ones; null where there is none.
NamedDecl *symbolOwner(NamedDecl &decl) {
  if (auto *binding = dyn_cast<BindingDecl>(&decl))
    return binding->getDecomposedDecl();
  if (auto *pattern = dyn_cast<TemplateDecl>(&decl))
    return pattern->getTemplatedDecl();
  // An alias has no symbols, but a class without a name has those of the alias that names it.
  if (auto *alias = dyn_cast<TypedefNameDecl>(&decl))
    return alias->getAnonDeclWithTypedefName(/*AnyRedecl=*/true);
  return &decl;
}

void renameSymbols(NamedDecl &owner, unsigned cell) {
  if (owner.hasAttr<AbiTagAttr>() || owner.hasAttr<AsmLabelAttr>())
    return;
  ASTContext &ast = owner.getASTContext();
  std::string tag = "cell" + std::to_string(cell);
  const auto *function = dyn_cast<FunctionDecl>(&owner);
  const auto *variable = dyn_cast<VarDecl>(&owner);
  bool plain = !ast.getLangOpts().CPlusPlus || (function && function->isExternC()) ||
               (variable && variable->isExternC());
  llvm::StringRef text(tag);
  if (!plain)
    owner.addAttr(AbiTagAttr::CreateImplicit(ast, &text, 1));
  else if (function || variable)
    owner.addAttr(AsmLabelAttr::CreateImplicit(ast, owner.getNameAsString() + "." + tag));
}

} // namespace

void Redefinitions::begin(Sema &sema, unsigned cell, llvm::ArrayRef<DeclarationId> hidden) {
  Names = &sema;
  Cell = cell;
  HiddenNow.clear();
  Clashes.clear();
  SameFunctions.clear();
  if (Declared.size() <= cell)
    Declared.resize(cell + 1);
  for (const DeclarationId &id : hidden) {
    if (id.cell >= Declared.size() || id.index >= Declared[id.cell].size())
      continue;
    NamedDecl &decl = declaration(id);
    if (!id.bodyOnly) {
      hide(decl);
      continue;
    }
    HiddenNow.push_back({decl.getDeclContext()->getRedeclContext(), decl.getDeclName(), &decl});
    cast<FunctionDecl>(decl).setBody(nullptr); // which makes it a mere declaration
  }
}

void Redefinitions::hide(NamedDecl &decl) {
  NamedDecl &entity = found(decl);
  HiddenNow.push_back({entity.getDeclContext()->getRedeclContext(), entity.getDeclName(), &entity});
  for (NamedDecl *each : visible(*Names, entity))
    removeFromLookup(*Names, *each);
  if (auto *tag = dyn_cast<TagDecl>(&entity)) {
    std::vector<NamedDecl *> aliases;
    for (NamedDecl *other : tag->getDeclContext()->getRedeclContext()->lookup(tag->getDeclName()))
      if (isAliasOfSameName(*other, *tag))
        aliases.push_back(other);
    for (NamedDecl *alias : aliases)
      hide(*alias);
  }
  if (auto *enumeration = dyn_cast<EnumDecl>(&entity); enumeration && !enumeration->isScoped())
    for (EnumConstantDecl *constant : enumeration->enumerators())
      hide(*constant);
}

void Redefinitions::declare(DeclGroupRef decls) {
  for (Decl *decl : decls)
    visit(*decl);
}

void Redefinitions::visit(Decl &decl) {
  if (decl.isImplicit())
    return;
  if (auto *decomposition = dyn_cast<DecompositionDecl>(&decl))
    for (BindingDecl *binding : decomposition->bindings())
      add(*binding);
  if (auto *enumeration = dyn_cast<EnumDecl>(&decl); enumeration && !enumeration->isScoped())
    for (EnumConstantDecl *constant : enumeration->enumerators())
      add(*constant);
  if (auto *named = dyn_cast<NamedDecl>(&decl); named && named->getDeclName())
    add(*named);
  if (isa<NamespaceDecl, LinkageSpecDecl, ExportDecl>(decl))
    for (Decl *inner : cast<DeclContext>(decl).decls())
      visit(*inner);
}

void Redefinitions::add(NamedDecl &decl) {
  std::vector<NamedDecl *> &all = Declared[Cell];
  DeclarationId id{Cell, static_cast<unsigned>(all.size())};
  ByPlace.try_emplace(decl.getLocation(), id);
  all.push_back(&decl);
  keepApart(decl);
  if (isa<TagDecl>(decl))
    preferType(decl);
}

void Redefinitions::defineType(TagDecl &tag) { keepApart(tag); }

void Redefinitions::keepApart(NamedDecl &decl) {
  if (HiddenNow.empty() || isa<ConceptDecl, EnumConstantDecl>(decl))
    return;
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  for (const Hidden &hidden : HiddenNow) {
    if (hidden.name != decl.getDeclName() || !hidden.context->Equals(context) ||
        areOverloads(*hidden.decl, decl))
      continue;
    if (isSameFunction(*hidden.decl, decl)) {
      if (cast<FunctionDecl>(decl).isThisDeclarationADefinition())
        SameFunctions.push_back(cast<FunctionDecl>(&decl));
      return;
    }
    if (auto *binding = dyn_cast<BindingDecl>(&decl); binding && binding->getHoldingVar())
      renameSymbols(*binding->getHoldingVar(), Cell);
    if (NamedDecl *owner = symbolOwner(decl))
      renameSymbols(*owner, Cell);
    return;
  }
}

/// A class and a function or variable may have one name, which then means the latter. Where an
/// earlier cell defined that, the name is to mean the class.
void Redefinitions::preferType(const NamedDecl &decl) {
  if (!decl.getASTContext().getLangOpts().CPlusPlus ||
      !cast<TagDecl>(decl).isThisDeclarationADefinition() || !canBeHidden(decl))
    return;
  std::vector<NamedDecl *> others;
  for (NamedDecl *other : decl.getDeclContext()->getRedeclContext()->lookup(decl.getDeclName()))
    if (isa<FunctionDecl, VarDecl, BindingDecl, EnumConstantDecl>(other))
      if (auto place = ByPlace.find(other->getLocation());
          place != ByPlace.end() && place->second.cell != Cell)
        others.push_back(other);
  for (NamedDecl *other : others)
    removeFromLookup(*Names, *other);
}

/// The declaration at a place, or the one whose parameters are there.
std::optional<DeclarationId> Redefinitions::find(SourceLocation earlier,
                                                 const SourceManager &sources) const {
  if (auto place = ByPlace.find(earlier); place != ByPlace.end())
    return place->second;
  for (unsigned cell = 0; cell < Cell; ++cell)
    for (unsigned i = 0; i < Declared[cell].size(); ++i) {
      const NamedDecl &decl = *Declared[cell][i];
      const auto *function = decl.getAsFunction();
      if (!function && !isa<TemplateDecl>(decl))
        continue;
      SourceLocation end = function ? function->getTypeSpecEndLoc() : decl.getLocation();
      if (function && function->getNumParams() != 0)
        end = function->getParamDecl(function->getNumParams() - 1)->getEndLoc();
      if (sources.getFileID(decl.getBeginLoc()) == sources.getFileID(earlier) &&
          !sources.isBeforeInTranslationUnit(earlier, decl.getBeginLoc()) &&
          !sources.isBeforeInTranslationUnit(end, earlier))
        return DeclarationId{cell, i};
    }
  return std::nullopt;
}

std::optional<DeclarationId> Redefinitions::findAtOffsetOf(SourceLocation at,
                                                           const SourceManager &sources) const {
  unsigned offset = sources.getFileOffset(sources.getFileLoc(at));
  llvm::SmallString<32> buffer;
  llvm::StringRef name =
      Lexer::getSpelling(sources.getSpellingLoc(at), buffer, sources, Names->getLangOpts());
  for (unsigned cell = Cell; cell-- > 0;)
    for (unsigned i = 0; i < Declared[cell].size(); ++i) {
      const NamedDecl &decl = *Declared[cell][i];
      SourceLocation place = sources.getFileLoc(decl.getLocation());
      bool operation = !decl.getDeclName().isIdentifier();
      if (sources.getFileOffset(place) == offset && (operation || decl.getName() == name))
        return DeclarationId{cell, i};
    }
  return std::nullopt;
}

void Redefinitions::clash(unsigned error, SourceLocation at, SourceLocation earlier,
                          const SourceManager &sources) {
  std::optional<DeclarationId> id =
      earlier.isValid() ? find(earlier, sources) : findAtOffsetOf(at, sources);
  if (!id || id->cell == Cell)
    return;
  const NamedDecl &decl = declaration(*id);
  // What a header brings is not the user's to define again, nor does a header take the user's names
  // away. Only a file that is included again defines its own names again.
  llvm::StringRef file = sources.getFilename(sources.getFileLoc(at));
  if (sources.isInSystemHeader(decl.getLocation()) ||
      (!file.empty() && file != sources.getFilename(sources.getFileLoc(decl.getLocation()))))
    return;
  id->bodyOnly = error == diag::err_redefinition && canLoseBody(decl);
  if (id->bodyOnly || canBeHidden(decl))
    Clashes.insert(*id);
}

} // namespace farside
