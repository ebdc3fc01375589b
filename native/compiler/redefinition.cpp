#include "redefinition.h"

#include "redeclared.h"
#include "renaming.h"
#include "specialisations.h"
#include "tolerated.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclFriend.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Sema/Sema.h"

namespace farside {

using namespace clang;

void Redefinitions::begin(Sema &sema, unsigned cell, FileID file,
                          llvm::ArrayRef<DeclarationId> hidden) {
  Names = &sema;
  SameFunctions.clear();
  BecameInline.clear();
  LocalTypes.clear();
  Declared.begin(cell, file);
  InTheWay.begin(sema);
  Hidden.begin(sema, hidden);
  llvm::append_range(Repeated, Hidden.specialised());
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
      Hidden.removeMacro(*macro);
      InTheWay.noteReplaced(*macro);
    }
  }
  rejectTolerated(*Names, Declared, decl);
  keepApart(decl);
  if (auto *function = dyn_cast<FunctionDecl>(&decl); function && isDefinedInlineLate(*function)) {
    SameFunctions.push_back(function);
    BecameInline.insert(function);
  }
  for (NamedDecl *other : othersOfName(*Names, Declared, decl))
    Hidden.remove(*other);
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
  if (Hidden.isRespecialised(made))
    giveOwnSymbols(made, Declared.cell());
}

void Redefinitions::defineType(TagDecl &tag) {
  keepApart(tag);
  if (isInstance(tag))
    Declared.addInstance(tag);
}

void Redefinitions::completeLocalType(TagDecl &tag) {
  auto *function = dyn_cast<FunctionDecl>(tag.getDeclContext());
  if (!function)
    return;
  if (llvm::is_contained(Hidden.instances(), function)) {
    if (LocalTypes.insert(&tag).second)
      renameLocalType(tag, *function, *function, Declared.cell());
    return;
  }
  // The names of what is local to a closure or local class contain that of the outer.
  if (auto *outer = dyn_cast<TagDecl>(function->getDeclContext());
      outer && outer->getParentFunctionOrMethod())
    return completeLocalType(*outer);
  const NamedDecl *hidden = Hidden.findNow(*function, llvm::IsaPred<FunctionDecl>);
  if (!hidden)
    return;
  if (!function->getReturnType()->isUndeducedType())
    keepApart(*function);
  if (LocalTypes.insert(&tag).second)
    renameLocalType(tag, *function, *cast<FunctionDecl>(hidden), Declared.cell());
}

/// Whether two declarations are specialisations of a function template for other arguments.
static bool areTwoInstances(const NamedDecl &before, const NamedDecl &now) {
  const auto *old = dyn_cast<FunctionDecl>(&before);
  const auto *function = dyn_cast<FunctionDecl>(&now);
  return old && function && old->isFunctionTemplateSpecialization() &&
         function->isFunctionTemplateSpecialization() && !haveOneSymbol(before, now);
}

void Redefinitions::keepApart(NamedDecl &decl) {
  Hidden.placeSpecialisation(decl);
  if (isa<ConceptDecl, EnumConstantDecl>(decl))
    return;
  auto *function = dyn_cast<FunctionDecl>(&decl);
  if (function && llvm::is_contained(Hidden.instances(), function))
    return renameWithin(*function, *function, Declared.cell());
  if (function && Hidden.isShown(*function)) {
    if (function->isThisDeclarationADefinition())
      becomeSameOrNew(decl, function->getPreviousDecl());
    return;
  }
  auto isReplaced = [&decl](const NamedDecl &old) { return !areTwoInstances(old, decl); };
  const NamedDecl *hidden = Hidden.findNow(decl, isReplaced);
  // A function may have been declared again by an earlier cell, and be defined by this one.
  if (hidden || hasSymbolOfHidden(decl) || sameFunction(decl, nullptr))
    becomeSameOrNew(decl, hidden);
}

/// Whether something of this name was hidden by an earlier cell, or by a type of that name, and the
/// declaration begins another entity: `int x; struct x {}; int x;`.
bool Redefinitions::hasSymbolOfHidden(const NamedDecl &decl) const {
  auto isReplaced = [&decl](const NamedDecl &old) { return !areOverloads(old, decl); };
  if (!Hidden.findBefore(decl, isReplaced) || isSpecialisation(decl) ||
      !isa<FunctionDecl, VarDecl, BindingDecl, TagDecl, TemplateDecl, TypedefNameDecl,
           IndirectFieldDecl>(decl))
    return false;
  const Decl *first = decl.getCanonicalDecl();
  auto id = Declared.at(first->getLocation());
  return first == &decl || (id && id->cell == Declared.cell());
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
  auto isSame = [&decl](const NamedDecl &old) { return haveOneSymbol(old, decl); };
  const NamedDecl *old = hidden && isSame(*hidden) ? hidden : Hidden.findBefore(decl, isSame);
  return old && takesPlaceOf(decl, *old) ? old->getAsFunction() : nullptr;
}

/// Rejects a declaration of a function that was hidden, so that the cell is compiled with that to
/// be found. False if it cannot be.
bool Redefinitions::askFor(const FunctionDecl &old, const NamedDecl &decl) {
  auto id = Declared.at(old.getLocation());
  if (decl.getCanonicalDecl() == old.getCanonicalDecl() || Hidden.isHiddenNow(old) || !id ||
      hasSymbolOfInline(decl) || !Hidden.noteShown(old))
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
    InTheWay.add({body->cell, body->index, DeclarationId::body});
  }
  InTheWay.add({id->cell, id->index, DeclarationId::again});
  Names->Diag(decl.getLocation(), diag::err_redefinition) << &decl;
  return true;
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

void Redefinitions::end() {
  rejectUndefined();
  makeInstances();
}

/// Of what was made of a template, code stays that a mere declaration of a specialisation could not
/// replace. And code that the code generator makes where it is needed cannot be made of a body that
/// a function has lost, unless the cell defines it again.
void Redefinitions::rejectUndefined() {
  DiagnosticsEngine &diagnostics = Names->getDiagnostics();
  for (const FunctionDecl *function : Hidden.bodiless())
    if (!function->isDefined() && function->isReferenced() &&
        (function->isInlined() || function->isTemplateInstantiation() ||
         !function->isExternallyVisible()))
      diagnostics.Report(function->getLocation(),
                         diagnostics.getCustomDiagID(DiagnosticsEngine::Error,
                                                     "%0 is used, and was to be defined again"))
          << function;
  for (const FunctionDecl *function : Hidden.specialised())
    if (!function->isDefined())
      Names->Diag(function->getMostRecentDecl()->getLocation(),
                  diag::err_specialization_after_instantiation)
          << function;
}

/// Where an instance cannot have the new body since it is for a class that has a member of what is
/// hidden by now, the cell is compiled once more, and that instance keeps the body that it has.
void Redefinitions::makeInstances() {
  for (FunctionDecl *function : Hidden.instances()) {
    DiagnosticErrorTrap errors(Names->getDiagnostics());
    Names->InstantiateFunctionDefinition(function->getLocation(), function, /*Recursive=*/true);
    auto id = errors.hasErrorOccurred() && Hidden.isForHidden(*function, /*deep=*/true)
                  ? Declared.idOf(*function)
                  : std::nullopt;
    if (id)
      InTheWay.add({id->cell, id->index, DeclarationId::kept});
    else if (function->isDefined())
      SameFunctions.push_back(function);
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

} // namespace farside
