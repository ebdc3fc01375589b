#include "redefinition.h"

#include "defined_outside.h"
#include "redeclared.h"
#include "renaming.h"
#include "specialisations.h"
#include "tolerated.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclFriend.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Scope.h"
#include "clang/Sema/Sema.h"

#include <functional>
#include <iterator>

namespace farside {

using namespace clang;

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

void Redefinitions::begin(Sema &sema, unsigned cell, FileID file,
                          llvm::ArrayRef<DeclarationId> hidden) {
  Names = &sema;
  HiddenNow.clear();
  Clashes.clear();
  SameFunctions.clear();
  BecameInline.clear();
  Instances.clear();
  Kept.clear();
  LocalTypes.clear();
  ReplacedMacros.clear();
  Tagged.clear();
  Candidates.clear();
  Specialisation = {};
  Specialised.clear();
  Shown.clear();
  Declared.begin(cell, file);
  std::vector<NamedDecl *> whole;
  std::vector<NamedDecl *> outside;
  std::vector<NamedDecl *> bodies;
  std::vector<NamedDecl *> instances;
  std::vector<FunctionDecl *> again;
  for (const DeclarationId &id : hidden) {
    if (id.part == DeclarationId::macro) {
      hideMacro(id);
      continue;
    }
    NamedDecl *decl = Declared.find(id);
    if (!decl)
      continue;
    if (id.part == DeclarationId::whole)
      whole.push_back(decl);
    else if (id.part == DeclarationId::outside)
      outside.push_back(decl);
    else if (id.part == DeclarationId::kept)
      Kept.insert(decl->getAsFunction());
    else if (id.part == DeclarationId::instance)
      instances.push_back(decl);
    else if (id.part == DeclarationId::again)
      again.push_back(decl->getAsFunction());
    else if (id.part == DeclarationId::arguments)
      forgetArguments(*decl->getAsFunction());
    else
      bodies.push_back(decl);
    if (id.part == DeclarationId::constant)
      changeConstant(*decl->getAsFunction());
  }
  // What the cell declares in the scope as well needs no declaration there.
  llvm::erase_if(outside, [&](NamedDecl *each) { return llvm::is_contained(whole, each); });
  llvm::append_range(whole, outside);
  // Members of a class that is itself defined again stay those of the old.
  auto goesWithClass = [&whole](const NamedDecl &member) {
    return llvm::any_of(whole, [&](const NamedDecl *each) { return isMemberOf(member, *each); });
  };
  llvm::erase_if(bodies, [&](const NamedDecl *each) { return goesWithClass(*each); });
  llvm::erase_if(whole, [&](const NamedDecl *each) {
    return (isStaticMember(*each) || isDefinedOutside(*each)) && goesWithClass(*each);
  });
  llvm::erase_if(instances, [&](const NamedDecl *each) { return goesWithClass(*each); });
  std::vector<NamedDecl *> requested;
  llvm::copy_if(whole, std::back_inserter(requested),
                [](const NamedDecl *each) { return isExplicitInstantiation(*each); });
  llvm::erase_if(whole, [](const NamedDecl *each) { return isExplicitInstantiation(*each); });
  for (NamedDecl *decl : requested)
    forgetInstantiation(*decl);
  for (NamedDecl *decl : bodies)
    loseBody(*decl);
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
  auto isHidden = [&whole](const FunctionDecl *function) {
    return llvm::any_of(whole, [function](const NamedDecl *each) {
      return each->getCanonicalDecl() == function->getCanonicalDecl();
    });
  };
  for (FunctionDecl *function : again)
    if (function && !isHidden(function))
      show(*function);
}

/// Makes a mere declaration of a function's definition.
void Redefinitions::loseBody(NamedDecl &decl) {
  HiddenNow.push_back({decl.getDeclContext()->getRedeclContext(), decl.getDeclName(), &decl});
  FunctionDecl &function = *decl.getAsFunction();
  function.setBody(nullptr);
  if (function.isTemplated())
    forgetInstances(function);
}

/// Has a function be inline no more, unless the cell says so: Clang takes a declaration for inline
/// where an earlier one is. Its callers from now on are to come to the next body, too. What a class
/// says of its members stands.
void Redefinitions::endInline(FunctionDecl &function) {
  if (!function.isInlined() || function.isConstexpr() || function.isTemplateInstantiation() ||
      function.isCXXClassMember() || isa<CXXRecordDecl>(function.getLexicalDeclContext()) ||
      !Names->getLangOpts().CPlusPlus)
    return;
  const SourceManager &sources = Names->getSourceManager();
  for (const FunctionDecl *each : function.redecls())
    if (each->isInlineSpecified() && sources.getFileID(each->getLocation()) == Declared.file())
      return;
  for (FunctionDecl *each : function.redecls())
    each->setInlineSpecified(false);
  Repeated.push_back(&function);
}

/// Makes Clang forget that something was made of a template. A function that is specialised stays
/// the same function.
void Redefinitions::letSpecialise(NamedDecl &made) {
  if (isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl>(made))
    return forgetSpecial(made);
  HiddenNow.push_back({made.getDeclContext()->getRedeclContext(), made.getDeclName(), &made});
  if (auto *function = dyn_cast<FunctionDecl>(&made)) {
    Repeated.push_back(function);
    Specialised.push_back(function);
    forgetInstantiation(*function);
    forgetBody(*function);
  } else {
    remove(made);
    declareAnew(*Names, made, Declared.cell());
  }
}

std::vector<const FunctionDecl *> Redefinitions::definedOnce() const {
  std::vector<const FunctionDecl *> found;
  for (FunctionDecl *each : Repeated) {
    const FunctionDecl &latest = *each->getMostRecentDecl();
    if (!latest.isInlined() && latest.isExternallyVisible() &&
        llvm::none_of(SameFunctions, [&](const FunctionDecl *function) {
          return function->getCanonicalDecl() == latest.getCanonicalDecl();
        }))
      found.push_back(&latest);
  }
  return found;
}

/// So that another declaration of the function can give them.
void Redefinitions::forgetArguments(FunctionDecl &function) {
  for (FunctionDecl *each : function.redecls())
    for (ParmVarDecl *parameter : each->parameters())
      parameter->setDefaultArg(nullptr);
}

void Redefinitions::hideMacro(const DeclarationId &id) {
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

void Redefinitions::remove(NamedDecl &decl) {
  for (NamedDecl *each : visible(*Names, decl))
    removeFromLookup(*Names, *each);
  HiddenBefore[decl.getDeclName()].push_back(&decl);
  if (isa<NamespaceDecl>(decl))
    HiddenSpaces.push_back(&decl);
}

static void makeVisible(Sema &sema, NamedDecl &decl) {
  decl.getDeclContext()->makeDeclVisibleInContext(&decl);
  if (decl.getDeclContext()->getRedeclContext()->isTranslationUnit() && sema.TUScope)
    sema.PushOnScopeChains(&decl, sema.TUScope, /*AddToContext=*/false);
}

void Redefinitions::show(FunctionDecl &function) {
  FunctionDecl &newest = *function.getMostRecentDecl();
  ASTContext &ast = function.getASTContext();
  makeVisible(*Names, newest);
  if (ast.getLangOpts().CPlusPlus && function.isExternC())
    ast.getExternCContextDecl()->makeDeclVisibleInContext(&newest);
  Shown.insert(function.getCanonicalDecl());
  llvm::erase_if(HiddenBefore[function.getDeclName()], [&](const NamedDecl *each) {
    return each->getCanonicalDecl() == function.getCanonicalDecl();
  });
}

/// Whether an inline function has the symbol of one that is not: to the code generator that symbol
/// would mean the former yet.
bool Redefinitions::hasSymbolOfInline(const NamedDecl &decl) const {
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  return llvm::any_of(Declared.byCell(), [&](const std::vector<NamedDecl *> &declared) {
    return llvm::any_of(declared, [&](const NamedDecl *each) {
      return each->getDeclName() == decl.getDeclName() &&
             each->getDeclContext()->getRedeclContext()->Equals(context) &&
             haveOneSymbol(*each, decl) && !takesPlaceOf(decl, *each);
    });
  });
}

/// Rejects a declaration of a function that was hidden, so that the cell is compiled with that to
/// be found. False if it cannot be.
bool Redefinitions::askFor(const FunctionDecl &old, const NamedDecl &decl) {
  const Decl *entity = old.getCanonicalDecl();
  auto isOld = [entity](const Hidden &each) { return each.decl->getCanonicalDecl() == entity; };
  auto id = Declared.at(old.getLocation());
  if (decl.getCanonicalDecl() == entity || llvm::any_of(HiddenNow, isOld) || !id ||
      hasSymbolOfInline(decl) || !Shown.insert(entity).second)
    return false;
  // Of a function that is known there is no need to find another declaration.
  for (NamedDecl *each : decl.getDeclContext()->getRedeclContext()->lookup(decl.getDeclName()))
    if (Declared.earlierAt(each->getCanonicalDecl()->getLocation()) && haveOneSymbol(*each, decl))
      return false;
  if (const FunctionDecl *definition = old.getDefinition();
      definition && decl.getAsFunction()->isThisDeclarationADefinition()) {
    auto body = Declared.at(definition->getLocation());
    if (!body || hasDeducedResult(*definition))
      return false;
    Clashes.insert({body->cell, body->index, DeclarationId::body});
  }
  Clashes.insert({id->cell, id->index, DeclarationId::again});
  Names->Diag(decl.getLocation(), diag::err_redefinition) << &decl;
  return true;
}

/// Has what a class or variable template is for some arguments be unknown to it.
void Redefinitions::forgetSpecial(NamedDecl &decl) {
  if (isa<VarDecl>(decl))
    HiddenNow.push_back({decl.getDeclContext()->getRedeclContext(), decl.getDeclName(), &decl});
  if (auto *partial = dyn_cast<VarTemplatePartialSpecializationDecl>(&decl))
    Respecialised.insert(partial->getSpecializedTemplate()->getCanonicalDecl());
  if (ClassTemplateDecl *tagged = forgetSpecialisation(*Names, decl, Declared.cell()))
    Tagged.push_back(tagged);
}

void Redefinitions::hide(NamedDecl &decl) {
  if (isSpecialisation(decl))
    return forgetSpecial(decl);
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
        makeVisible(*Names, *space);
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

/// Takes away the bodies that were made of a template's, so that they are made once more. What was
/// made for a class as it was before that was defined again stays, as do objects of that class.
void Redefinitions::forgetInstances(const FunctionDecl &pattern) {
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

bool Redefinitions::isHidden(const TagDecl &tag) const {
  auto hidden = HiddenBefore.find(tag.getDeclName());
  return hidden != HiddenBefore.end() &&
         llvm::any_of(hidden->second, [&tag](const NamedDecl *each) {
           const TemplateDecl *described = tag.getDescribedTemplate();
           return each->getCanonicalDecl() == tag.getCanonicalDecl() ||
                  (described && each->getCanonicalDecl() == described->getCanonicalDecl());
         });
}

/// Whether an instance is of a template whose arguments name what was hidden, or, if `deep`, have
/// members or bases of that.
bool Redefinitions::isForHidden(const FunctionDecl &instance, bool deep) const {
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

/// Where an instance cannot have the new body since it is for a class that has a member of what is
/// hidden by now, the cell is compiled once more, and that instance keeps the body that it has.
void Redefinitions::makeInstances() {
  for (FunctionDecl *function : Instances) {
    DiagnosticErrorTrap errors(Names->getDiagnostics());
    Names->InstantiateFunctionDefinition(function->getLocation(), function, /*Recursive=*/true);
    auto id = errors.hasErrorOccurred() && isForHidden(*function, /*deep=*/true)
                  ? Declared.idOf(*function)
                  : std::nullopt;
    if (id)
      Clashes.insert({id->cell, id->index, DeclarationId::kept});
    else if (function->isDefined())
      SameFunctions.push_back(function);
  }
}

void Redefinitions::end() {
  rejectUndefined();
  makeInstances();
}

/// Of what was made of a template, code stays that a mere declaration of a specialisation could not
/// replace.
void Redefinitions::rejectUndefined() {
  for (const FunctionDecl *function : Specialised)
    if (!function->isDefined())
      Names->Diag(function->getMostRecentDecl()->getLocation(),
                  diag::err_specialization_after_instantiation)
          << function;
}

/// Makes a mere declaration of a static data member's definition; within its class it would be one.
/// Code that is made from now on means another variable.
void Redefinitions::reopen(VarDecl &member) {
  member.setLexicalDeclContext(member.getDeclContext());
  if (!member.isTemplated())
    return giveMemberNewSymbol(member, Declared.cell());
  for (VarDecl *instance : instancesOf(member)) {
    forgetDefinition(*instance);
    giveInstanceNewSymbols(*instance, Declared.cell());
  }
}

void Redefinitions::declare(DeclGroupRef decls) {
  for (Decl *decl : decls)
    visit(*decl);
}

void Redefinitions::visit(Decl &decl) {
  if (auto *variable = dyn_cast<VarDecl>(&decl); variable && !variable->getDeclName())
    if (const RecordDecl *record = variable->getType()->getAsRecordDecl();
        record && record->isAnonymousStructOrUnion())
      visitFields(*record, *variable->getDeclContext()->getRedeclContext());
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

/// What the members of a union without a name are known by around it.
void Redefinitions::visitFields(const RecordDecl &record, const DeclContext &scope) {
  for (const FieldDecl *field : record.fields())
    if (const RecordDecl *inner = field->getType()->getAsRecordDecl();
        inner && field->isAnonymousStructOrUnion())
      visitFields(*inner, scope);
    else if (field->getDeclName())
      for (NamedDecl *each : scope.lookup(field->getDeclName()))
        if (isa<IndirectFieldDecl>(each) && each->getLocation() == field->getLocation())
          add(*each);
}

void Redefinitions::noteInstance(VarDecl &variable) {
  if (isExplicitInstantiation(variable))
    Declared.add(variable);
  else if (isInstance(variable))
    Declared.addInstance(variable);
}

void Redefinitions::noteInstance(FunctionDecl &function) {
  const FunctionDecl *pattern = function.getTemplateInstantiationPattern();
  if (isInstance(function) && pattern && !pattern->isDefined())
    Declared.addInstance(function);
}

void Redefinitions::add(NamedDecl &decl) {
  Declared.add(decl);
  if (const IdentifierInfo *name = decl.getIdentifier()) {
    Declared.addName(name->getName());
    // A name that a macro would have replaced is not declared, but one with parameters may be. What
    // a header or the PCH declares leaves the macro alone, as it does in a file.
    const SourceManager &sources = Names->getSourceManager();
    auto macro = Declared.earlierMacro(*name, Names->getPreprocessor());
    if (macro &&
        sources.getFileID(sources.getExpansionLoc(decl.getLocation())) == Declared.file()) {
      hideMacro(*macro);
      ReplacedMacros.push_back(*macro);
    }
  }
  rejectTolerated(*Names, Declared, decl);
  keepApart(decl);
  if (auto *function = dyn_cast<FunctionDecl>(&decl); function && isDefinedInlineLate(*function)) {
    SameFunctions.push_back(function);
    BecameInline.insert(function);
  }
  for (NamedDecl *other : othersOfName(*Names, Declared, decl))
    remove(*other);
}

/// Whether this is the inline definition of a function that an earlier cell declared as one that is
/// not: code of that cell may wait for it, and to Clang nothing uses it here.
bool Redefinitions::isDefinedInlineLate(FunctionDecl &function) const {
  ASTContext &ast = function.getASTContext();
  if (!function.isThisDeclarationADefinition() || function.isTemplated() ||
      llvm::is_contained(SameFunctions, &function) ||
      ast.GetGVALinkageForFunction(&function) != GVA_DiscardableODR)
    return false;
  const SourceManager &sources = ast.getSourceManager();
  return llvm::any_of(function.redecls(), [&](const FunctionDecl *each) {
    // Clang numbers files in the order in which it opens them.
    SourceLocation place = sources.getExpansionLoc(each->getLocation());
    return !each->isInlined() && sources.isLocalSourceLocation(place) &&
           !sources.isInSystemHeader(place) && sources.getFileID(place) < Declared.file();
  });
}

void Redefinitions::instantiate(VarTemplateSpecializationDecl &made) const {
  if (Respecialised.contains(made.getSpecializedTemplate()->getCanonicalDecl()))
    giveOwnSymbols(made, Declared.cell());
}

void Redefinitions::defineType(TagDecl &tag) {
  keepApart(tag);
  if (isInstance(tag))
    Declared.addInstance(tag);
}

void Redefinitions::completeLocalType(TagDecl &tag) {
  auto *function = dyn_cast<FunctionDecl>(tag.getDeclContext());
  if (!function || HiddenNow.empty())
    return;
  if (llvm::is_contained(Instances, function)) {
    if (LocalTypes.insert(&tag).second)
      renameLocalType(tag, *function, *function, Declared.cell());
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
    renameLocalType(tag, *function, *cast<FunctionDecl>(hidden->decl), Declared.cell());
}

/// Whether two declarations are specialisations of a function template for other arguments.
static bool areTwoInstances(const NamedDecl &before, const NamedDecl &now) {
  const auto *old = dyn_cast<FunctionDecl>(&before);
  const auto *function = dyn_cast<FunctionDecl>(&now);
  return old && function && old->isFunctionTemplateSpecialization() &&
         function->isFunctionTemplateSpecialization() && !haveOneSymbol(before, now);
}

void Redefinitions::keepApart(NamedDecl &decl) {
  for (ClassTemplateDecl *tagged : Tagged)
    standUnder(*tagged, decl);
  if (isa<ConceptDecl, EnumConstantDecl>(decl))
    return;
  if (auto instance = llvm::find(Instances, &decl); instance != Instances.end())
    return renameWithin(**instance, **instance, Declared.cell());
  if (const auto *function = dyn_cast<FunctionDecl>(&decl);
      function && Shown.contains(function->getCanonicalDecl())) {
    if (function->isThisDeclarationADefinition())
      becomeSameOrNew(decl, function->getPreviousDecl());
    return;
  }
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  for (const Hidden &hidden : HiddenNow) {
    if (hidden.name != decl.getDeclName() || !hidden.context->Equals(context) ||
        areOverloads(*hidden.decl, decl) || areTwoInstances(*hidden.decl, decl))
      continue;
    return becomeSameOrNew(decl, hidden.decl);
  }
  // A function may have been declared again by an earlier cell, and be defined by this one.
  if (hasSymbolOfHidden(decl) || sameFunction(decl, nullptr))
    becomeSameOrNew(decl, nullptr);
}

/// Makes a declaration that takes the place of others one of the function that it was before, or of
/// something new: after `int f() {…}` and `double f() {…}` another `int f() {…}` is the first
/// again. Clang can take it for that, unless the type is one that it deduces.
void Redefinitions::becomeSameOrNew(NamedDecl &decl, const NamedDecl *hidden) {
  const FunctionDecl *old = sameFunction(decl, hidden);
  if (!old)
    return giveOwnSymbols(decl, Declared.cell());
  if (askFor(*old, decl))
    return;
  FunctionDecl &function = *decl.getAsFunction();
  if (function.isTemplated()) // which has no symbol; see makeInstances
    return;
  if (!function.isThisDeclarationADefinition())
    return takeSymbolOf(function, *old);
  renameWithin(function, *old, Declared.cell());
  endInline(function);
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
      !isa<FunctionDecl, VarDecl, BindingDecl, TagDecl, TemplateDecl, TypedefNameDecl,
           IndirectFieldDecl>(decl))
    return false;
  const Decl *first = decl.getCanonicalDecl();
  auto id = Declared.at(first->getLocation());
  if (first != &decl && (!id || id->cell != Declared.cell()))
    return false;
  const DeclContext *context = decl.getDeclContext()->getRedeclContext();
  return llvm::any_of(before->second, [&](const NamedDecl *old) {
    return old->getDeclContext()->getRedeclContext()->Equals(context) && !areOverloads(*old, decl);
  });
}

} // namespace farside
