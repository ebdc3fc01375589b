#include "hiding.h"

#include "defined_outside.h"
#include "redeclared.h"
#include "renaming.h"
#include "specialisations.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Scope.h"
#include "clang/Sema/Sema.h"

#include <algorithm>
#include <functional>

namespace farside {

using namespace clang;

bool isDeclaredElsewhere(const FunctionDecl &function) {
  return function.isCXXClassMember() || function.isFunctionTemplateSpecialization();
}

bool canBeHidden(const NamedDecl &decl) {
  if (isSpecialisation(decl) || isExplicitInstantiation(decl) || isStaticMember(decl) ||
      isDefinedOutside(decl))
    return true;
  if (const auto *function = dyn_cast<FunctionDecl>(&decl);
      function && isDeclaredElsewhere(*function))
    return false;
  // A directive has no name that lookup finds.
  if (isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl, UsingDirectiveDecl>(decl))
    return false;
  return decl.getDeclContext()->getRedeclContext()->isFileContext();
}

/// So that another declaration of the function can give them.
static void forgetArguments(FunctionDecl &function) {
  for (FunctionDecl *each : function.redecls())
    for (ParmVarDecl *parameter : each->parameters())
      parameter->setDefaultArg(nullptr);
}

/// So that another declaration of the function can have `constexpr`, or do without. Clang takes
/// them for one function then, of which an earlier cell than this may have the body.
static void changeConstant(FunctionDecl &function) {
  auto kind =
      function.isConstexpr() ? ConstexprSpecKind::Unspecified : ConstexprSpecKind::Constexpr;
  for (FunctionDecl *each : function.redecls()) {
    each->setConstexprKind(kind);
    each->setBody(nullptr);
  }
}

/// Whether it was made of a template. That a cell asked for it may have been forgotten since.
static bool isOfTemplate(const NamedDecl &decl) {
  return isInstance(decl) ||
         isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl>(decl);
}

bool Hiding::canHide(const SourceManager &sources, const DeclarationId &id) const {
  if (id.part == DeclarationId::macro)
    return id.index < sources.getBufferData(Declared.fileOf(id.cell)).size();
  const NamedDecl *decl = Declared.find(id);
  bool isCXX = decl->getASTContext().getLangOpts().CPlusPlus;
  switch (id.part) {
  case DeclarationId::whole:
    return canBeHidden(*decl) || isOfTemplate(*decl);
  case DeclarationId::outside:
    return isCXX && canBeDeclaredAnew(*decl);
  case DeclarationId::instance:
    if (const auto *function = dyn_cast<FunctionDecl>(decl))
      return function->getTemplateSpecializationInfo() || function->getMemberSpecializationInfo();
    return isCXX && isa<TagDecl, ClassTemplateDecl, VarTemplateSpecializationDecl>(decl);
  default: // something of a function
    return decl->getAsFunction();
  }
}

bool Hiding::canHide(const SourceManager &sources, unsigned cell,
                     llvm::ArrayRef<DeclarationId> hidden) const {
  std::set<DeclarationId> seen;
  return llvm::all_of(hidden, [&](const DeclarationId &id) {
    bool exists = id.part == DeclarationId::macro ? Declared.fileOf(id.cell).isValid()
                                                  : Declared.find(id) != nullptr;
    return seen.insert(id).second && (exists ? canHide(sources, id) : id.cell == cell);
  });
}

void Hiding::begin(Sema &sema, llvm::ArrayRef<DeclarationId> hidden) {
  Names = &sema;
  Now.clear();
  Shown.clear();
  Tagged.clear();
  Specialised.clear();
  Instances.clear();
  Kept.clear();
  Bodiless.clear();
  std::vector<NamedDecl *> whole;
  std::vector<NamedDecl *> outside;
  std::vector<NamedDecl *> bodies;
  std::vector<NamedDecl *> instances;
  std::vector<FunctionDecl *> again;
  for (const DeclarationId &id : hidden) {
    if (id.part == DeclarationId::macro) {
      removeMacro(id);
      continue;
    }
    NamedDecl *decl = Declared.find(id);
    if (!decl)
      continue;
    switch (id.part) {
    case DeclarationId::whole:
      whole.push_back(decl);
      break;
    case DeclarationId::constant:
      changeConstant(*decl->getAsFunction());
      [[fallthrough]];
    case DeclarationId::body:
      bodies.push_back(decl);
      break;
    case DeclarationId::again:
      again.push_back(decl->getAsFunction());
      break;
    case DeclarationId::arguments:
      forgetArguments(*decl->getAsFunction());
      break;
    case DeclarationId::outside:
      outside.push_back(decl);
      break;
    case DeclarationId::instance:
      instances.push_back(decl);
      break;
    case DeclarationId::kept:
      Kept.insert(decl->getAsFunction());
      break;
    case DeclarationId::macro:
      break;
    }
  }
  // What the cell declares in the scope as well needs no declaration there.
  llvm::erase_if(outside, [&](NamedDecl *each) { return llvm::is_contained(whole, each); });
  llvm::append_range(whole, outside);
  // Members of a class that is itself defined again stay those of the old.
  auto goesWithClass = [&whole](const NamedDecl *member) {
    return llvm::any_of(whole, [&](const NamedDecl *each) { return isMemberOf(*member, *each); });
  };
  llvm::erase_if(bodies, goesWithClass);
  llvm::erase_if(whole, [&](const NamedDecl *each) {
    return (isStaticMember(*each) || isDefinedOutside(*each)) && goesWithClass(each);
  });
  llvm::erase_if(instances, goesWithClass);
  auto rest = std::stable_partition(whole.begin(), whole.end(), [](const NamedDecl *each) {
    return isExplicitInstantiation(*each);
  });
  std::for_each(whole.begin(), rest, [](NamedDecl *each) { forgetInstantiation(*each); });
  whole.erase(whole.begin(), rest);
  for (NamedDecl *decl : bodies) {
    loseBody(*decl);
    Bodiless.push_back(decl->getAsFunction());
  }
  for (NamedDecl *decl : instances)
    letSpecialise(*decl);
  // A specialisation leaves a declaration of its template, and what hid a namespace shows it again.
  llvm::stable_sort(whole, [](const NamedDecl *one, const NamedDecl *other) {
    auto rank = [](const NamedDecl &decl) {
      return isSpecialisation(decl) ? 0 : isa<NamespaceDecl>(decl) ? 2 : 1;
    };
    return rank(*one) < rank(*other);
  });
  for (NamedDecl *decl : whole) {
    hide(*decl);
    if (llvm::is_contained(outside, decl))
      declareAnew(*Names, found(*decl), Declared.cell());
  }
  // Unless it is in the way after all, as with a default argument that is given again.
  auto isInTheWay = [&whole](const FunctionDecl *function) {
    return llvm::any_of(whole, [function](const NamedDecl *each) {
      return each->getCanonicalDecl() == function->getCanonicalDecl();
    });
  };
  for (FunctionDecl *function : again)
    if (function && !isInTheWay(function))
      show(*function);
}

void Hiding::noteHidden(const NamedDecl &decl) {
  Now.push_back({decl.getDeclContext()->getRedeclContext(), decl.getDeclName(), &decl});
}

void Hiding::removeMacro(const DeclarationId &id) {
  FileID file = Declared.fileOf(id.cell);
  if (file.isInvalid())
    return;
  SourceManager &sources = Names->getSourceManager();
  SourceLocation at =
      sources.getLocForStartOfFile(file).getLocWithOffset(static_cast<int>(id.index));
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

/// Makes a mere declaration of a function's definition.
void Hiding::loseBody(NamedDecl &decl) {
  noteHidden(decl);
  FunctionDecl &function = *decl.getAsFunction();
  function.setBody(nullptr);
  for (FunctionDecl *each : function.redecls())
    each->setReferenced(false); // up to now
  if (function.isTemplated())
    forgetInstances(function);
}

/// Takes away the bodies that were made of a template's, so that they are made once more. What was
/// made for a class as it was before that was defined again stays, as do objects of that class.
void Hiding::forgetInstances(const FunctionDecl &pattern) {
  for (const std::vector<NamedDecl *> &declared : Declared.byCell())
    for (NamedDecl *decl : declared) {
      auto *function = dyn_cast<FunctionDecl>(decl);
      if (!function || !isInstanceOf(*function, pattern) ||
          !function->doesThisDeclarationHaveABody() || Kept.contains(function) ||
          isForHidden(*function, /*deep=*/false))
        continue;
      forgetBody(*function);
      renameWithin(*function, *function, Declared.cell());
      Instances.push_back(function);
    }
}

/// Makes Clang forget that something was made of a template. A function that is specialised stays
/// the same function.
void Hiding::letSpecialise(NamedDecl &made) {
  if (isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl>(made))
    return forgetSpecial(made);
  noteHidden(made);
  if (auto *function = dyn_cast<FunctionDecl>(&made)) {
    Specialised.push_back(function);
    forgetInstantiation(*function);
    forgetBody(*function);
  } else {
    remove(made);
    declareAnew(*Names, made, Declared.cell());
  }
}

/// Has what a class or variable template is for some arguments be unknown to it.
void Hiding::forgetSpecial(NamedDecl &decl) {
  if (isa<VarDecl>(decl))
    noteHidden(decl);
  if (auto *partial = dyn_cast<VarTemplatePartialSpecializationDecl>(&decl))
    Respecialised.insert(partial->getSpecializedTemplate()->getCanonicalDecl());
  if (ClassTemplateDecl *tagged = forgetSpecialisation(*Names, decl, Declared.cell()))
    Tagged.push_back(tagged);
}

static void makeVisible(Sema &sema, NamedDecl &decl) {
  decl.getDeclContext()->makeDeclVisibleInContext(&decl);
  if (decl.getDeclContext()->getRedeclContext()->isTranslationUnit() && sema.TUScope)
    sema.PushOnScopeChains(&decl, sema.TUScope, /*AddToContext=*/false);
}

void Hiding::hide(NamedDecl &decl) {
  if (isSpecialisation(decl))
    return forgetSpecial(decl);
  if (isStaticMember(decl))
    return reopen(cast<VarDecl>(decl));
  NamedDecl &entity = found(decl);
  noteHidden(entity);
  remove(entity);
  if (!isa<NamespaceDecl>(entity))
    showSpace(entity);
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

/// Makes a mere declaration of a static data member's definition; within its class it would be one.
/// Code that is made from now on means another variable.
void Hiding::reopen(VarDecl &member) {
  member.setLexicalDeclContext(member.getDeclContext());
  if (!member.isTemplated())
    return giveMemberNewSymbol(member, Declared.cell());
  for (VarDecl *instance : instancesOf(member)) {
    forgetDefinition(*instance);
    giveInstanceNewSymbols(*instance, Declared.cell());
  }
}

/// Has a namespace go on whose name is free again. Beside anything else it would make the name
/// ambiguous, and Clang drops what is declared under such a name without a word.
void Hiding::showSpace(const NamedDecl &hidden) {
  for (NamedDecl *&space : Spaces)
    if (space && space->getDeclName() == hidden.getDeclName() &&
        space->getDeclContext()->Equals(&withoutUnnamed(*hidden.getDeclContext())) &&
        llvm::all_of(space->getDeclContext()->lookup(space->getDeclName()),
                     llvm::IsaPred<BaseUsingDecl>)) {
      makeVisible(*Names, *space);
      space = nullptr;
    }
}

void Hiding::remove(NamedDecl &decl) {
  for (NamedDecl *each : visible(*Names, decl))
    removeFromLookup(*Names, *each);
  Before[decl.getDeclName()].push_back(&decl);
  if (isa<NamespaceDecl>(decl))
    Spaces.push_back(&decl);
}

void Hiding::show(FunctionDecl &function) {
  FunctionDecl &newest = *function.getMostRecentDecl();
  ASTContext &ast = function.getASTContext();
  makeVisible(*Names, newest);
  if (ast.getLangOpts().CPlusPlus && function.isExternC())
    ast.getExternCContextDecl()->makeDeclVisibleInContext(&newest);
  noteShown(function);
  llvm::erase_if(Before[function.getDeclName()], [&](const NamedDecl *each) {
    return each->getCanonicalDecl() == function.getCanonicalDecl();
  });
}

void Hiding::placeSpecialisation(NamedDecl &decl) const {
  for (ClassTemplateDecl *tagged : Tagged)
    standUnder(*tagged, decl);
}

const NamedDecl *Hiding::findNow(const NamedDecl &decl, Predicate isLike) const {
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  for (const Hidden &hidden : Now)
    if (hidden.name == decl.getDeclName() && hidden.context->Equals(context) &&
        !areOverloads(*hidden.decl, decl) && isLike(*hidden.decl))
      return hidden.decl;
  return nullptr;
}

const NamedDecl *Hiding::findBefore(const NamedDecl &decl, Predicate isLike) const {
  auto before = Before.find(decl.getDeclName());
  if (before == Before.end())
    return nullptr;
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  for (const NamedDecl *each : llvm::reverse(before->second))
    if (each->getDeclContext()->getRedeclContext()->Equals(context) && isLike(*each))
      return each;
  return nullptr;
}

bool Hiding::isHiddenNow(const NamedDecl &decl) const {
  return llvm::any_of(Now, [entity = decl.getCanonicalDecl()](const Hidden &each) {
    return each.decl->getCanonicalDecl() == entity;
  });
}

bool Hiding::isShown(const FunctionDecl &function) const {
  return Shown.contains(function.getCanonicalDecl());
}

bool Hiding::noteShown(const FunctionDecl &function) {
  return Shown.insert(function.getCanonicalDecl()).second;
}

bool Hiding::isHidden(const TagDecl &tag) const {
  auto hidden = Before.find(tag.getDeclName());
  return hidden != Before.end() && llvm::any_of(hidden->second, [&tag](const NamedDecl *each) {
           const TemplateDecl *described = tag.getDescribedTemplate();
           return each->getCanonicalDecl() == tag.getCanonicalDecl() ||
                  (described && each->getCanonicalDecl() == described->getCanonicalDecl());
         });
}

bool Hiding::isForHidden(const FunctionDecl &instance, bool deep) const {
  std::set<const CXXRecordDecl *> seen;
  std::function<bool(const TagDecl &)> isOld = [&](const TagDecl &tag) {
    if (isHidden(tag))
      return true;
    const auto *record = dyn_cast_or_null<CXXRecordDecl>(tag.getDefinition());
    if (!deep || !record || !seen.insert(record).second)
      return false;
    return llvm::any_of(record->bases(),
                        [&](const auto &base) { return isMadeOf(base.getType(), isOld); }) ||
           llvm::any_of(record->fields(),
                        [&](const auto *field) { return isMadeOf(field->getType(), isOld); });
  };
  auto areFor = [&](const TemplateArgumentList &arguments) {
    return llvm::any_of(arguments.asArray(), [&](const TemplateArgument &argument) {
      return argument.getKind() == TemplateArgument::Type && isMadeOf(argument.getAsType(), isOld);
    });
  };
  const TemplateArgumentList *own = instance.getTemplateSpecializationArgs();
  if (own && areFor(*own))
    return true;
  for (const DeclContext *context = instance.getDeclContext(); context;
       context = context->getParent())
    if (const auto *special = dyn_cast<ClassTemplateSpecializationDecl>(context);
        special && areFor(special->getTemplateArgs()))
      return true;
  return false;
}

bool Hiding::isRespecialised(const VarTemplateSpecializationDecl &made) const {
  return Respecialised.contains(made.getSpecializedTemplate()->getCanonicalDecl());
}

} // namespace farside
