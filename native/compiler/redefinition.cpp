#include "redefinition.h"

#include "diagnostics.h"
#include "renaming.h"
#include "specialisations.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclContextInternals.h"
#include "clang/AST/DeclFriend.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/Mangle.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/IdentifierResolver.h"
#include "clang/Sema/Scope.h"
#include "clang/Sema/Sema.h"

#include <algorithm>
#include <utility>

namespace farside {

using namespace clang;

namespace {

/// Where the name of a declaration is; an alias template lies at its `using`.
SourceLocation placeOf(const NamedDecl &decl) {
  if (const auto *alias = dyn_cast<TypeAliasTemplateDecl>(&decl))
    return alias->getTemplatedDecl()->getLocation();
  return decl.getLocation();
}

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

/// The definition of a static data member outside of its class.
bool isStaticMember(const NamedDecl &decl) {
  const auto *variable = dyn_cast<VarDecl>(&decl);
  return variable && variable->isStaticDataMember() && variable->isOutOfLine();
}

bool canBeHidden(const NamedDecl &decl) {
  if (isSpecialisation(decl) || isExplicitInstantiation(decl) || isStaticMember(decl))
    return true;
  if (const auto *function = dyn_cast<FunctionDecl>(&decl);
      function && isDeclaredElsewhere(*function))
    return false;
  if (isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl>(decl))
    return false;
  return decl.getDeclContext()->getRedeclContext()->isFileContext();
}

/// Whether a definition of the same function can follow when this one's body is gone. A return type
/// that was deduced would stay.
bool canLoseBody(const NamedDecl &decl) {
  if (isa<FunctionTemplateDecl>(decl) && canBeHidden(decl))
    return false;
  const FunctionDecl *function = decl.getAsFunction();
  return function && function->doesThisDeclarationHaveABody() &&
         !function->getDeclaredReturnType()->getContainedAutoType();
}

void removeFrom(DeclContext &context, NamedDecl &decl) {
  if (StoredDeclsMap *map = context.getPrimaryContext()->getLookupPtr())
    if (auto entry = map->find(decl.getDeclName()); entry != map->end())
      if (llvm::is_contained(entry->second.getLookupResult(), &decl))
        entry->second.remove(&decl);
}

/// The contexts whose lookup finds what is declared in this one: that itself, and those around what
/// is transparent, as `extern "C"` and inline namespaces are.
llvm::SmallVector<DeclContext *, 4> findingContexts(DeclContext &context) {
  llvm::SmallVector<DeclContext *, 4> all{&context};
  while (all.back()->isTransparentContext() || all.back()->isInlineNamespace())
    all.push_back(all.back()->getParent());
  return all;
}

/// The scope that an unnamed namespace is in, for what is declared there; else the scope itself.
const DeclContext &withoutUnnamed(const DeclContext &context) {
  const DeclContext *scope = context.getRedeclContext();
  const auto *space = dyn_cast<NamespaceDecl>(scope);
  return space && space->isAnonymousNamespace() ? *space->getParent()->getRedeclContext() : *scope;
}

void removeFromLookup(Sema &sema, NamedDecl &decl) {
  // There Clang looks whether what is extern "C" is the same wherever it is declared.
  removeFrom(*decl.getASTContext().getExternCContextDecl(), decl);
  for (DeclContext *context : findingContexts(*decl.getDeclContext()))
    removeFrom(*context, decl);
  if (sema.TUScope && sema.TUScope->isDeclScope(&decl)) {
    sema.IdResolver.RemoveDecl(&decl);
    sema.TUScope->RemoveDecl(&decl);
  }
}

/// All declarations of the entity that lookup finds; it finds the newest of each scope.
std::vector<NamedDecl *> visible(Sema &sema, NamedDecl &decl) {
  std::vector<NamedDecl *> all;
  auto add = [&](NamedDecl *other) {
    if (other->getCanonicalDecl() == decl.getCanonicalDecl() && !llvm::is_contained(all, other))
      all.push_back(other);
  };
  auto addThoseIn = [&](const DeclContext &context) {
    if (StoredDeclsMap *map = context.getPrimaryContext()->getLookupPtr())
      if (auto entry = map->find(decl.getDeclName()); entry != map->end())
        for (NamedDecl *other : entry->second.getLookupResult())
          add(other);
  };
  for (const DeclContext *context : findingContexts(*decl.getDeclContext())) {
    context->lookup(decl.getDeclName()); // which makes the table, if nobody has asked so far
    addThoseIn(*context);
  }
  // There the first declaration of what is extern "C" stays.
  addThoseIn(*decl.getASTContext().getExternCContextDecl());
  for (auto i = sema.IdResolver.begin(decl.getDeclName()); i != sema.IdResolver.end(); ++i)
    add(*i);
  return all;
}

/// Whether two functions would have one symbol in one program.
bool haveOneSymbol(const NamedDecl &before, const NamedDecl &now) {
  const FunctionDecl *old = before.getAsFunction();
  const FunctionDecl *function = now.getAsFunction();
  if (!old || !function)
    return false;
  auto ofTemplate = [](const FunctionDecl &each) {
    return each.getDescribedFunctionTemplate() || each.getPrimaryTemplate();
  };
  if (ofTemplate(*old) || ofTemplate(*function))
    return old->getCanonicalDecl() == function->getCanonicalDecl();
  return old->getFormalLinkage() == function->getFormalLinkage() &&
         old->isExternC() == function->isExternC() &&
         function->getASTContext().hasSameType(old->getType(), function->getType());
}

/// Whether the later of such functions takes the place of the earlier. Of an inline function that
/// no cell has used there is nothing yet, and Clang would make it from the old definition where the
/// new one is used.
bool takesPlaceOf(const NamedDecl &now, const NamedDecl &before) {
  return !before.getAsFunction()->isInlined() || now.getAsFunction()->isInlined();
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

/// Whether two functions look the same to who reads them, but a type in one of them has been
/// defined again since: `int f(S)` of the old S and of the new.
bool areWrittenAlike(const NamedDecl &before, const NamedDecl &now) {
  const FunctionDecl *old = before.getAsFunction();
  const FunctionDecl *function = now.getAsFunction();
  if (!old || !function || old->isTemplated() != function->isTemplated() ||
      old->getNumParams() != function->getNumParams() ||
      !old->getDeclContext()->getRedeclContext()->Equals(
          function->getDeclContext()->getRedeclContext()))
    return false;
  bool differ = false;
  for (unsigned i = 0; i < old->getNumParams(); ++i) {
    QualType one = old->getParamDecl(i)->getType().getCanonicalType();
    QualType other = function->getParamDecl(i)->getType().getCanonicalType();
    if (one.getAsString() != other.getAsString())
      return false;
    differ |= one != other;
  }
  return differ;
}

} // namespace

void Redefinitions::begin(Sema &sema, unsigned cell, FileID file,
                          llvm::ArrayRef<DeclarationId> hidden) {
  Names = &sema;
  Cell = cell;
  HiddenNow.clear();
  Clashes.clear();
  SameFunctions.clear();
  BecameInline.clear();
  Instances.clear();
  LocalTypes.clear();
  ReplacedMacros.clear();
  Tagged.clear();
  Candidates.clear();
  if (Declared.size() <= cell) {
    Declared.resize(cell + 1);
    Files.resize(cell + 1);
  }
  Files[cell] = file;
  std::vector<NamedDecl *> whole;
  for (const DeclarationId &id : hidden) {
    if (id.cell >= Declared.size() ||
        (id.part != DeclarationId::macro && id.index >= Declared[id.cell].size()))
      continue;
    if (id.part == DeclarationId::macro) {
      hideMacro(id);
    } else if (id.part == DeclarationId::whole) {
      whole.push_back(&declaration(id));
    } else {
      NamedDecl &decl = declaration(id);
      HiddenNow.push_back({decl.getDeclContext()->getRedeclContext(), decl.getDeclName(), &decl});
      FunctionDecl &function = *decl.getAsFunction();
      function.setBody(nullptr); // which makes it a mere declaration
      if (function.isTemplated())
        forgetInstances(function);
    }
  }
  // A specialisation leaves a declaration of its template, and what hid a namespace shows it again.
  llvm::stable_sort(whole, [](const NamedDecl *one, const NamedDecl *other) {
    auto rank = [](const NamedDecl &decl) {
      return isSpecialisation(decl) ? 0 : isa<NamespaceDecl>(decl) ? 2 : 1;
    };
    return rank(*one) < rank(*other);
  });
  for (NamedDecl *decl : whole)
    hide(*decl);
}

void Redefinitions::hideMacro(const DeclarationId &id) {
  SourceManager &sources = Names->getSourceManager();
  SourceLocation at =
      sources.getLocForStartOfFile(Files[id.cell]).getLocWithOffset(static_cast<int>(id.index));
  Token name;
  if (Lexer::getRawToken(at, name, sources, Names->getLangOpts()) ||
      name.isNot(tok::raw_identifier))
    return;
  Preprocessor &preprocessor = Names->getPreprocessor();
  IdentifierInfo *identifier = preprocessor.getIdentifierInfo(name.getRawIdentifier());
  if (preprocessor.isMacroDefined(identifier))
    preprocessor.appendMacroDirective(identifier, new (preprocessor.getPreprocessorAllocator())
                                                      UndefMacroDirective(at));
}

void Redefinitions::remove(NamedDecl &decl) {
  for (NamedDecl *each : visible(*Names, decl))
    removeFromLookup(*Names, *each);
  HiddenBefore[decl.getDeclName()].push_back(&decl);
  if (isa<NamespaceDecl>(decl))
    HiddenSpaces.push_back(&decl);
}

void Redefinitions::hide(NamedDecl &decl) {
  if (isSpecialisation(decl)) {
    if (isa<VarDecl>(decl))
      HiddenNow.push_back({decl.getDeclContext()->getRedeclContext(), decl.getDeclName(), &decl});
    if (ClassTemplateDecl *tagged = forgetSpecialisation(*Names, decl, Cell))
      Tagged.push_back(tagged);
    return;
  }
  if (isExplicitInstantiation(decl))
    return forgetInstantiation(decl);
  if (isStaticMember(decl))
    return reopen(cast<VarDecl>(decl));
  NamedDecl &entity = found(decl);
  HiddenNow.push_back({entity.getDeclContext()->getRedeclContext(), entity.getDeclName(), &entity});
  remove(entity);
  // A namespace of that name goes on where there is one again. Beside anything else it would make
  // the name ambiguous, and Clang drops what is declared under such a name without a word.
  if (!isa<NamespaceDecl>(entity))
    for (NamedDecl *&space : HiddenSpaces)
      if (space && space->getDeclName() == entity.getDeclName() &&
          space->getDeclContext()->Equals(&withoutUnnamed(*entity.getDeclContext())) &&
          llvm::all_of(space->getDeclContext()->lookup(space->getDeclName()),
                       llvm::IsaPred<BaseUsingDecl>)) {
        space->getDeclContext()->makeDeclVisibleInContext(space);
        if (space->getDeclContext()->isTranslationUnit() && Names->TUScope)
          Names->PushOnScopeChains(space, Names->TUScope, /*AddToContext=*/false);
        space = nullptr;
      }
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

/// Takes away the bodies that were made of a template's, so that they are made once more.
void Redefinitions::forgetInstances(const FunctionDecl &pattern) {
  for (const std::vector<NamedDecl *> &declared : Declared)
    for (NamedDecl *decl : declared) {
      auto *function = dyn_cast<FunctionDecl>(decl);
      if (!function || !isInstanceOf(*function, pattern) ||
          !function->doesThisDeclarationHaveABody())
        continue;
      forgetBody(*function);
      renameWithin(*function, *function, Cell, SymbolOf);
      Instances.push_back(function);
    }
}

void Redefinitions::makeInstances() {
  for (FunctionDecl *function : Instances) {
    Names->InstantiateFunctionDefinition(function->getLocation(), function, /*Recursive=*/true);
    if (function->isDefined())
      SameFunctions.push_back(function);
  }
}

/// Makes a mere declaration of a static data member's definition; within its class it would be one.
/// Code that is made from now on means another variable.
void Redefinitions::reopen(VarDecl &member) {
  member.setLexicalDeclContext(member.getDeclContext());
  if (!member.isTemplated())
    return giveMemberNewSymbol(member, Cell);
  for (VarDecl *instance : instancesOf(member)) {
    forgetDefinition(*instance);
    giveInstanceNewSymbols(*instance, Cell);
  }
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
  if (auto *names = dyn_cast<BaseUsingDecl>(&decl))
    for (UsingShadowDecl *shadow : names->shadows())
      add(*shadow);
  if (isa<NamespaceDecl, LinkageSpecDecl, ExportDecl>(decl))
    for (Decl *inner : cast<DeclContext>(decl).decls())
      visit(*inner);
  if (auto *record = dyn_cast<CXXRecordDecl>(&decl);
      record && record->isThisDeclarationADefinition())
    for (FriendDecl *friendly : record->friends())
      if (NamedDecl *function = friendly->getFriendDecl();
          function && function->getAsFunction() && function->getAsFunction()->hasBody())
        add(*function);
}

void Redefinitions::add(NamedDecl &decl) {
  std::vector<NamedDecl *> &all = Declared[Cell];
  DeclarationId id{Cell, static_cast<unsigned>(all.size())};
  ByPlace.try_emplace(decl.getLocation(), id);
  ByPlace.try_emplace(placeOf(decl), id);
  all.push_back(&decl);
  if (const IdentifierInfo *name = decl.getIdentifier()) {
    Known.insert(name->getName());
    // A name that a macro would have replaced is not declared, but one with parameters may be. What
    // a header or the PCH declares leaves the macro alone, as it does in a file.
    const SourceManager &sources = Names->getSourceManager();
    auto macro = earlierMacro(*name);
    if (macro && sources.getFileID(sources.getExpansionLoc(decl.getLocation())) == Files[Cell]) {
      hideMacro(*macro);
      ReplacedMacros.push_back(*macro);
    }
  }
  if (const auto *variable = dyn_cast<VarDecl>(&decl))
    rejectSecondValue(*variable);
  if (const auto *space = dyn_cast<NamespaceDecl>(&decl))
    rejectBeside(*space);
  keepApart(decl);
  preferNew(decl);
}

/// In C `int x;` and `int x = 5;` are one variable, and so they are within a cell. But an earlier
/// cell's has its value already.
void Redefinitions::rejectSecondValue(const VarDecl &variable) {
  if (variable.getASTContext().getLangOpts().CPlusPlus ||
      variable.isThisDeclarationADefinition() != VarDecl::Definition)
    return;
  for (const VarDecl *each : variable.redecls())
    if (auto place = ByPlace.find(each->getLocation());
        place != ByPlace.end() && place->second.cell != Cell &&
        each->isThisDeclarationADefinition() != VarDecl::DeclarationOnly) {
      Names->Diag(variable.getLocation(), diag::err_redefinition) << &variable;
      Names->Diag(each->getLocation(), diag::note_previous_definition);
      return;
    }
}

/// The unnamed namespace in a scope, whose names are known there as well; null where there is none.
static const DeclContext *unnamedWithin(const DeclContext &scope) {
  if (const auto *space = dyn_cast<NamespaceDecl>(&scope))
    return space->getAnonymousNamespace();
  const auto *unit = dyn_cast<TranslationUnitDecl>(&scope);
  return unit ? unit->getAnonymousNamespace() : nullptr;
}

/// Where a name means several things, overloads for instance, Clang begins a namespace beside them.
void Redefinitions::rejectBeside(const NamespaceDecl &space) {
  if (space.getPreviousDecl() || space.isAnonymousNamespace())
    return;
  std::vector<NamedDecl *> others;
  const DeclContext *scope = space.getDeclContext()->getRedeclContext();
  for (const DeclContext *each : {scope, unnamedWithin(*scope)})
    if (each)
      for (NamedDecl *other : each->lookup(space.getDeclName()))
        if (auto place = ByPlace.find(other->getLocation());
            place != ByPlace.end() && place->second.cell != Cell && !isa<BaseUsingDecl>(other))
          others.push_back(other);
  if (others.empty())
    return;
  Names->Diag(space.getLocation(), diag::err_redefinition_different_kind) << &space;
  for (const NamedDecl *other : others)
    Names->Diag(other->getLocation(), diag::note_previous_definition);
}

void Redefinitions::defineType(TagDecl &tag) { keepApart(tag); }

void Redefinitions::completeLocalType(TagDecl &tag) {
  auto *function = dyn_cast<FunctionDecl>(tag.getDeclContext());
  if (!function || HiddenNow.empty())
    return;
  if (llvm::is_contained(Instances, function)) {
    if (LocalTypes.insert(&tag).second)
      renameLocalType(tag, *function, *function, Cell);
    return;
  }
  // The names of what is local to a closure or local class contain that of the outer.
  DeclContext *context = function->getDeclContext();
  if (auto *outer = dyn_cast<TagDecl>(context); outer && outer->getParentFunctionOrMethod())
    return completeLocalType(*outer);
  auto hidden = llvm::find_if(HiddenNow, [&](const Hidden &each) {
    return isa<FunctionDecl>(each.decl) && each.name == function->getDeclName() &&
           each.context->Equals(context->getRedeclContext()) &&
           !areOverloads(*each.decl, *function);
  });
  if (hidden == HiddenNow.end())
    return;
  if (!function->getReturnType()->isUndeducedType())
    keepApart(*function);
  if (LocalTypes.insert(&tag).second)
    renameLocalType(tag, *function, *cast<FunctionDecl>(hidden->decl), Cell);
}

void Redefinitions::keepApart(NamedDecl &decl) {
  for (ClassTemplateDecl *tagged : Tagged)
    standUnder(*tagged, decl);
  if (isa<ConceptDecl, EnumConstantDecl>(decl))
    return;
  if (auto instance = llvm::find(Instances, &decl); instance != Instances.end())
    return renameWithin(**instance, **instance, Cell, SymbolOf);
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  for (const Hidden &hidden : HiddenNow) {
    if (hidden.name != decl.getDeclName() || !hidden.context->Equals(context) ||
        areOverloads(*hidden.decl, decl))
      continue;
    return becomeSameOrNew(decl, hidden.decl);
  }
  // A function may have been declared again by an earlier cell, and be defined by this one.
  if (hasSymbolOfHidden(decl) || sameFunction(decl, nullptr))
    becomeSameOrNew(decl, nullptr);
}

/// Makes a declaration that takes the place of others one of the function that it was before, or of
/// something new: after `int f() {…}` and `double f() {…}` another `int f() {…}` is the first
/// again.
void Redefinitions::becomeSameOrNew(NamedDecl &decl, const NamedDecl *hidden) {
  const FunctionDecl *old = sameFunction(decl, hidden);
  if (!old)
    return giveOwnSymbols(decl, Cell);
  FunctionDecl &function = *decl.getAsFunction();
  if (function.isTemplated()) // which has no symbol; see makeInstances
    return;
  if (!function.isThisDeclarationADefinition())
    return takeSymbolOf(function, *old, SymbolOf);
  renameWithin(function, *old, Cell, SymbolOf);
  if (function.isInlined() && !old->isInlined())
    BecameInline.insert(&function);
  if (!llvm::is_contained(SameFunctions, &function))
    SameFunctions.push_back(&function);
}

/// The function, of those that were hidden, that a declaration is one of.
const FunctionDecl *Redefinitions::sameFunction(const NamedDecl &decl,
                                                const NamedDecl *hidden) const {
  if (hidden && haveOneSymbol(*hidden, decl))
    return takesPlaceOf(decl, *hidden) ? hidden->getAsFunction() : nullptr;
  auto before = HiddenBefore.find(decl.getDeclName());
  if (before == HiddenBefore.end())
    return nullptr;
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  for (const NamedDecl *each : llvm::reverse(before->second))
    if (each->getDeclContext()->getRedeclContext()->Equals(context) && haveOneSymbol(*each, decl))
      return takesPlaceOf(decl, *each) ? each->getAsFunction() : nullptr;
  return nullptr;
}

/// Whether something of this name was hidden by an earlier cell, or by a type of that name, and the
/// declaration begins another entity: `int x; struct x {}; int x;`.
bool Redefinitions::hasSymbolOfHidden(const NamedDecl &decl) const {
  auto before = HiddenBefore.find(decl.getDeclName());
  if (before == HiddenBefore.end() || isSpecialisation(decl) ||
      !isa<FunctionDecl, VarDecl, BindingDecl, TagDecl, TemplateDecl, TypedefNameDecl>(decl))
    return false;
  const Decl *first = decl.getCanonicalDecl();
  auto place = ByPlace.find(first->getLocation());
  if (first != &decl && (place == ByPlace.end() || place->second.cell != Cell))
    return false;
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  return llvm::any_of(before->second, [&](const NamedDecl *old) {
    return old->getDeclContext()->getRedeclContext()->Equals(context) && !areOverloads(*old, decl);
  });
}

/// What a using declaration brought, or the declaration itself.
static const NamedDecl &targetOf(const NamedDecl &decl) {
  const auto *shadow = dyn_cast<UsingShadowDecl>(&decl);
  return shadow ? *shadow->getTargetDecl() : decl;
}

/// Whether a name that stands for both means `other`, or neither, though `decl` is the newer.
static bool isInTheWay(const NamedDecl &other, const NamedDecl &decl, bool sameScope) {
  if (!sameScope) // an unnamed namespace and the one that it is in
    return !other.getAsFunction() || !decl.getAsFunction() ||
           (isa<FunctionDecl>(other) && isa<FunctionDecl>(decl) && !areOverloads(other, decl));
  const NamedDecl &old = targetOf(other);
  const NamedDecl &now = targetOf(decl);
  if (isa<BaseUsingDecl>(other) || old.getCanonicalDecl() == now.getCanonicalDecl())
    return false;
  if (isa<NamespaceDecl, NamespaceAliasDecl>(old))
    return !isa<NamespaceDecl>(now);
  if (const auto *tag = dyn_cast<TagDecl>(&now);
      tag && isa<TagDecl>(decl) && !tag->isThisDeclarationADefinition())
    return false;
  if (isa<TagDecl>(now)) // Clang itself rejects more of what is declared there
    return &now != &decl ||
           isa<FunctionDecl, FunctionTemplateDecl, VarDecl, BindingDecl, EnumConstantDecl>(old);
  return isa<EnumConstantDecl>(decl) &&
         (&old != &other || isa<FunctionDecl, FunctionTemplateDecl>(old));
}

/// Whether a call could not tell two functions apart that using declarations bring.
static bool areBroughtAlike(Sema &sema, const NamedDecl &other, const NamedDecl &decl) {
  if (!isa<UsingShadowDecl>(other) || !isa<UsingShadowDecl>(decl))
    return false;
  auto *old = const_cast<FunctionDecl *>(targetOf(other).getAsFunction());
  auto *now = const_cast<FunctionDecl *>(targetOf(decl).getAsFunction());
  return old && now && old->getCanonicalDecl() != now->getCanonicalDecl() &&
         !sema.IsOverload(now, old, /*UseMemberUsingDeclRules=*/false);
}

void Redefinitions::findOthers(const DeclContext &context, const NamedDecl &decl, bool sameScope,
                               std::vector<NamedDecl *> &others) const {
  for (NamedDecl *other : context.getRedeclContext()->lookup(decl.getDeclName()))
    if (isInTheWay(*other, decl, sameScope) || (sameScope && areBroughtAlike(*Names, *other, decl)))
      if (auto place = ByPlace.find(other->getLocation());
          place != ByPlace.end() && place->second.cell != Cell)
        others.push_back(other);
}

/// A class and a function may have one name, which then means the latter; other things may have one
/// name as long as nobody uses it. Where an earlier cell declared the other, the name is to mean
/// the new.
void Redefinitions::preferNew(const NamedDecl &decl) {
  const DeclContext *scope = decl.getDeclContext()->getRedeclContext();
  if (!decl.getASTContext().getLangOpts().CPlusPlus || !scope->isFileContext())
    return;
  std::vector<NamedDecl *> others;
  if (!isa<BaseUsingDecl, UsingDirectiveDecl, ClassTemplateSpecializationDecl,
           VarTemplateSpecializationDecl>(decl))
    findOthers(*scope, decl, true, others);
  const auto *space = dyn_cast<NamespaceDecl>(scope);
  if (space && space->isAnonymousNamespace())
    findOthers(*space->getParent(), decl, false, others);
  if (const DeclContext *inner = unnamedWithin(*scope))
    findOthers(*inner, decl, false, others);
  for (NamedDecl *other : others)
    remove(*other);
}

/// The declaration at a place, or the one whose parameters are there.
std::optional<DeclarationId> Redefinitions::find(SourceLocation earlier,
                                                 const SourceManager &sources) const {
  if (auto place = ByPlace.find(earlier); place != ByPlace.end())
    return place->second;
  for (unsigned cell = 0; cell < Cell; ++cell)
    for (unsigned i = 0; i < Declared[cell].size(); ++i) {
      const NamedDecl &decl = *Declared[cell][i];
      if (isExplicitInstantiation(decl) && instantiatedAt(decl) == earlier)
        return DeclarationId{cell, i};
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

/// The name at a place of the program's text, or after the keyword there.
static std::string nameAt(SourceLocation at, const SourceManager &sources,
                          const LangOptions &language) {
  llvm::SmallString<32> buffer;
  std::string name =
      Lexer::getSpelling(sources.getSpellingLoc(at), buffer, sources, language).str();
  static constexpr llvm::StringRef keywords[] = {"using", "struct", "class", "union", "enum"};
  while (llvm::is_contained(keywords, name)) {
    auto next = Lexer::findNextToken(at, sources, language);
    if (!next || next->isNot(tok::raw_identifier))
      break;
    name = next->getRawIdentifier().str();
    at = next->getLocation();
  }
  return name;
}

std::optional<DeclarationId> Redefinitions::findAtOffsetOf(SourceLocation at,
                                                           const SourceManager &sources) const {
  unsigned offset = sources.getFileOffset(sources.getFileLoc(at));
  std::string name = nameAt(at, sources, Names->getLangOpts());
  auto next = Lexer::findNextToken(at, sources, Names->getLangOpts());
  bool special = next && next->is(tok::less);
  for (unsigned cell = Cell; cell-- > 0;)
    for (unsigned i = 0; i < Declared[cell].size(); ++i) {
      const NamedDecl &decl = *Declared[cell][i];
      auto isAt = [&](SourceLocation place) {
        return sources.getFileOffset(sources.getFileLoc(place)) == offset;
      };
      bool same = decl.getDeclName().isIdentifier() ? decl.getName() == name : name == "operator";
      if ((isAt(decl.getLocation()) || isAt(placeOf(decl))) && same &&
          special == isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl>(decl) &&
          (special || !visible(*Names, found(*Declared[cell][i])).empty()))
        return DeclarationId{cell, i};
    }
  return std::nullopt;
}

/// What may stand before the name in a declaration of it: a type, or the end of one.
static bool mayPrecedeName(const Token &token) {
  if (token.isNot(tok::raw_identifier))
    return token.isOneOf(tok::star, tok::amp, tok::ampamp, tok::greater);
  static constexpr llvm::StringRef operations[] = {
      "return", "throw", "delete",   "else",      "do",       "goto", "case", "new",
      "sizeof", "not",   "co_await", "co_return", "co_yield", "and",  "or"};
  return !llvm::is_contained(operations, token.getRawIdentifier());
}

bool Redefinitions::mayDefineAgain(llvm::StringRef code, const LangOptions &language) const {
  if (Known.empty())
    return false;
  std::string text = code.str();
  Lexer lexer(SourceLocation(), language, text.data(), text.data(), text.data() + text.size());
  int depth = 0; // of brackets, but for those of namespaces
  bool space = false;
  Token before;
  before.startToken();
  for (Token token;; before = token) {
    lexer.LexFromRawLexer(token);
    if (token.is(tok::eof))
      return false;
    bool word = token.is(tok::raw_identifier);
    if (token.isOneOf(tok::l_brace, tok::l_paren, tok::l_square)) {
      if (depth == 0 && token.is(tok::l_square) && before.is(tok::raw_identifier) &&
          before.getRawIdentifier() == "auto")
        return true;
      depth += !(space && depth == 0 && token.is(tok::l_brace));
      space = false;
    } else if (token.isOneOf(tok::r_brace, tok::r_paren, tok::r_square)) {
      depth = std::max(depth - 1, 0);
    } else if (depth == 0 && word) {
      llvm::StringRef name = token.getRawIdentifier();
      space |= name == "namespace" || name == "extern";
      if (name == "operator" || (mayPrecedeName(before) && Known.contains(name)))
        return true;
    } else if (token.is(tok::semi)) {
      space = false;
    }
  }
}

/// The names that using declarations have brought to where the new declaration is; `decl` is what
/// Clang points at, if an earlier cell has declared it.
bool Redefinitions::clashThroughUsing(const NamedDecl *decl, llvm::StringRef name) {
  const DeclContext *here = Names->CurContext->getRedeclContext();
  if (decl && !isa<BaseUsingDecl>(decl) && decl->getDeclContext()->getRedeclContext()->Equals(here))
    return false;
  bool found = false;
  for (unsigned cell = 0; cell < Cell; ++cell)
    for (unsigned i = 0; i < Declared[cell].size(); ++i)
      if (const auto *shadow = dyn_cast<UsingShadowDecl>(Declared[cell][i]);
          shadow && shadow->getDeclName().isIdentifier() && shadow->getName() == name &&
          shadow->getDeclContext()->getRedeclContext()->Equals(here)) {
        Clashes.insert({cell, i});
        found = true;
      }
  return found;
}

static bool isAboutLinkage(unsigned error) {
  return error == diag::err_non_static_static || error == diag::err_static_non_static;
}

/// An earlier cell's declaration of the same entity; the given one itself if there is none.
std::optional<DeclarationId> Redefinitions::earlierThan(const NamedDecl &decl) const {
  std::optional<DeclarationId> found;
  for (const Decl *each : decl.redecls())
    if (auto place = ByPlace.find(each->getLocation()); place != ByPlace.end())
      found = found ? std::min(*found, place->second) : place->second;
  return found;
}

void Redefinitions::clash(unsigned error, SourceLocation at, SourceLocation earlier,
                          const SourceManager &sources) {
  if (isAmbiguousCall(error))
    return clashOfCandidates(at, earlier);
  std::optional<DeclarationId> id =
      earlier.isValid() ? find(earlier, sources) : findAtOffsetOf(at, sources);
  if (id && id->cell == Cell && isAboutLinkage(error)) // which the cell's own has of an earlier
    id = earlierThan(declaration(*id));
  if (id && id->cell == Cell)
    return;
  // What a using declaration itself names is not the name in question.
  bool atEarlier = error == diag::err_using_decl_conflict && earlier.isValid();
  std::string name = nameAt(atEarlier ? earlier : at, sources, Names->getLangOpts());
  if (!id) {
    clashThroughUsing(nullptr, name);
    return;
  }
  // What a header brings is not the user's to define again, nor does a header take the user's names
  // away. Only a file that is included again defines its own names again.
  SourceLocation place = declaration(*id).getLocation();
  llvm::StringRef file = sources.getFilename(sources.getFileLoc(at));
  if (sources.isInSystemHeader(place) ||
      (!file.empty() && file != sources.getFilename(sources.getFileLoc(place))))
    return;
  if (clashThroughUsing(&declaration(*id), name))
    return;
  if (const auto *space = dyn_cast<NamespaceDecl>(&declaration(*id));
      space && space->getName() != name)
    id = findAlias(*space, name).value_or(*id); // Clang points at what the alias stands for
  const NamedDecl &decl = declaration(*id);
  if (isa<NamespaceDecl>(decl) && decl.getName() != name)
    return;
  if ((error == diag::err_redefinition || error == diag::err_inline_decl_follows_def) &&
      canLoseBody(decl))
    id->part = DeclarationId::body;
  if (id->part == DeclarationId::body || canBeHidden(decl))
    Clashes.insert(*id);
}

/// Of the functions that a call may mean, those stand aside that take what was a type of this name.
/// Until such a call they stay, for the old objects.
void Redefinitions::clashOfCandidates(SourceLocation call, SourceLocation candidate) {
  auto place = ByPlace.find(candidate);
  if (place == ByPlace.end())
    return;
  if (std::exchange(Call, call) != call)
    Candidates.clear();
  for (const DeclarationId &other : Candidates) {
    const DeclarationId &older = std::min(other, place->second);
    if (older.cell != Cell && canBeHidden(declaration(older)) &&
        areWrittenAlike(declaration(other), declaration(place->second)))
      Clashes.insert(older);
  }
  Candidates.push_back(place->second);
}

std::optional<DeclarationId> Redefinitions::findAlias(const NamespaceDecl &space,
                                                      llvm::StringRef name) const {
  for (unsigned cell = Cell; cell-- > 0;)
    for (unsigned i = 0; i < Declared[cell].size(); ++i)
      if (const auto *alias = dyn_cast<NamespaceAliasDecl>(Declared[cell][i]);
          alias && alias->getName() == name &&
          alias->getNamespace()->getCanonicalDecl() == space.getCanonicalDecl())
        return DeclarationId{cell, i};
  return std::nullopt;
}

void Redefinitions::clashWithMacros() {
  // They were there before their names were declared.
  Clashes.insert(ReplacedMacros.begin(), ReplacedMacros.end());
  const SourceManager &sources = Names->getSourceManager();
  llvm::StringRef text = sources.getBufferData(Files[Cell]);
  Lexer lexer(sources.getLocForStartOfFile(Files[Cell]), Names->getLangOpts(), text.data(),
              text.data(), text.data() + text.size());
  Token before;
  before.startToken();
  for (Token token;; before = token) {
    lexer.LexFromRawLexer(token);
    if (token.is(tok::eof))
      return;
    if (token.isNot(tok::raw_identifier) || before.is(tok::hash) ||
        !(mayPrecedeName(before) || before.isOneOf(tok::comma, tok::semi, tok::coloncolon,
                                                   tok::l_square, tok::l_brace, tok::r_brace)))
      continue;
    Preprocessor &preprocessor = Names->getPreprocessor();
    if (auto macro = earlierMacro(*preprocessor.getIdentifierInfo(token.getRawIdentifier())))
      Clashes.insert(*macro);
  }
}

/// The macro of this name, if an earlier cell has defined it.
std::optional<DeclarationId> Redefinitions::earlierMacro(const IdentifierInfo &name) const {
  if (!name.hasMacroDefinition())
    return std::nullopt;
  const SourceManager &sources = Names->getSourceManager();
  SourceLocation at = Names->getPreprocessor().getMacroInfo(&name)->getDefinitionLoc();
  for (unsigned cell = 1; cell < Cell; ++cell)
    if (Files[cell].isValid() && Files[cell] == sources.getFileID(at))
      return DeclarationId{cell, sources.getFileOffset(at), DeclarationId::macro};
  return std::nullopt;
}

} // namespace farside
