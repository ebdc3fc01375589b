#include "show_bodies.h"

#include "attempt.h"
#include "shown_header.h"
#include "shown_types.h"

#include "farside/value_kinds.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/CXXInheritance.h"
#include "clang/AST/ExprCXX.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Sema/EnterExpressionEvaluationContext.h"
#include "clang/Sema/Lookup.h"
#include "clang/Sema/Template.h"
#include "clang/Sema/TemplateDeduction.h"

namespace farside {

using namespace clang;

namespace {

bool isStreamed(Library kind) { return kind == Library::none || kind == Library::other; }

bool isInternalName(const FieldDecl &field) {
  return !field.getIdentifier() || field.getName().starts_with("_");
}

bool isDone(const FunctionDecl &function) { return function.hasBody() || function.isInvalidDecl(); }

} // namespace

ShowBodies::ShowBodies(Sema &sema) : S(sema), C(sema.getASTContext()) {
  if (!S.getLangOpts().CPlusPlus)
    return;
  LookupResult found(S, &C.Idents.get("__farside"), SourceLocation(), Sema::LookupNamespaceName);
  if (!S.LookupQualifiedName(found, C.getTranslationUnitDecl()))
    return;
  Space = dyn_cast<NamespaceDecl>(found.getFoundDecl());
  Show = find("show");
  Rich = find("rich");
  Loc = Space->getLocation();
}

FunctionTemplateDecl *ShowBodies::find(llvm::StringRef name) {
  LookupResult found(S, &C.Idents.get(name), SourceLocation(), Sema::LookupOrdinaryName);
  S.LookupQualifiedName(found, Space);
  // Clang takes a single function template for an overloaded name.
  return found.empty() ? nullptr : dyn_cast<FunctionTemplateDecl>(*found.begin());
}

// ---------------------------------------------------------------------------- when, and for what

Expr *ShowBodies::call(Expr *glvalue, SourceLocation where) {
  Loc = where;
  Called = true;
  noteHeldByAny();
  QualType type = glvalue->getType();
  unsigned guarded = isPlain(type) ? 0 : 1;
  Expr *entry = nullptr;
  if (S.getLangOpts().CPlusPlus) {
    bool rich = bundleOf(stand(type)) != nullptr;
    entry = helper(rich && !Giving ? "rich_entry" : "entry", typeArguments(type));
    guarded |= rich;
  } else {
    entry = reference(functionForC(type));
  }
  const char *function = Giving ? "__farside_give" : "__farside_show";
  LookupResult found(S, &C.Idents.get(function), Loc, Sema::LookupOrdinaryName);
  S.LookupQualifiedName(found, C.getTranslationUnitDecl());
  Expr *callee = built(S.BuildDeclarationNameExpr(CXXScopeSpec(), found, false));
  std::vector<Expr *> arguments = {entry, addressOf(glvalue)};
  if (!Giving)
    arguments.insert(arguments.end(), {kind(guarded), size(Elements)});
  return built(S.BuildCallExpr(nullptr, callee, Loc, arguments, Loc));
}

bool ShowBodies::pending() const {
  if (Called || DefinedForC < MadeForC.size())
    return true;
  for (FunctionTemplateDecl *made : {Show, Rich})
    if (made)
      for (const FunctionDecl *function : made->specializations())
        if (!isDone(*function))
          return true;
  return false;
}

void ShowBodies::complete(llvm::function_ref<void(FunctionDecl *)> emit) {
  if (Show)
    Loc = Show->getLocation();
  for (; pending() && !S.getDiagnostics().hasErrorOccurred(); Called = false) {
    std::vector<FunctionDecl *> open;
    for (FunctionTemplateDecl *made : {Show, Rich})
      if (made)
        for (FunctionDecl *function : made->specializations())
          if (!isDone(*function))
            open.push_back(function);
    for (FunctionDecl *function : open) {
      define(*function, function->getPrimaryTemplate() == Rich);
      emit(function);
    }
    while (DefinedForC < MadeForC.size()) {
      FunctionDecl *function = MadeForC[DefinedForC++].second;
      define(*function, false);
      emit(function);
    }
    S.PerformPendingInstantiations();
  }
  if (Plain && Space) { // later cells try anew
    ++Generation;
    renewDefaults();
  }
  Called = false;
  MadeForC.clear(); // in C each cell has its own
  DefinedForC = 0;
}

namespace {

/// Makes `number` the default of the last of two template parameters.
void renewDefault(ASTContext &context, NamedDecl *decl, Expr *number) {
  const auto *made = dyn_cast<FunctionTemplateDecl>(decl);
  if (!made || made->getTemplateParameters()->size() != 2)
    return;
  auto *last = dyn_cast<NonTypeTemplateParmDecl>(made->getTemplateParameters()->getParam(1));
  if (!last || !last->hasDefaultArgument())
    return;
  last->removeDefaultArgument();
  last->setDefaultArgument(
      context, TemplateArgumentLoc(TemplateArgument(number, /*IsCanonical=*/false), number));
}

} // namespace

/// __farside::give<T, G> and farside::display<T, G> (farside/display.h) are given the present G.
void ShowBodies::renewDefaults() {
  if (FunctionTemplateDecl *given = find("give"))
    renewDefault(C, given, number(Generation | GivenBit, C.UnsignedIntTy));
  LookupResult space(S, &C.Idents.get("farside"), SourceLocation(), Sema::LookupNamespaceName);
  space.suppressDiagnostics();
  auto *own = S.LookupQualifiedName(space, C.getTranslationUnitDecl())
                  ? space.getAsSingle<NamespaceDecl>()
                  : nullptr;
  if (!own)
    return;
  HasHeader = true;
  for (const char *name : {"display", "update_display"}) {
    LookupResult found(S, &C.Idents.get(name), SourceLocation(), Sema::LookupOrdinaryName);
    found.suppressDiagnostics();
    S.LookupQualifiedName(found, own);
    for (NamedDecl *decl : found)
      renewDefault(C, decl, number(Generation, C.UnsignedIntTy));
  }
}

/// A `std::any` is shown in another way when it may hold further types.
void ShowBodies::noteHeldByAny() {
  if (!Any || heldByAny().size() == HeldByAny)
    return;
  Any = nullptr;
  ++Generation;
  renewDefaults();
}

void ShowBodies::declared(DeclGroupRef decls) {
  noteHeldByAny();
  unsigned before = Generation;
  for (const Decl *decl : decls) {
    const auto *named = dyn_cast<NamedDecl>(decl);
    if (const auto *space = dyn_cast<NamespaceDecl>(decl)) {
      for (Decl *inner : space->decls())
        declared(DeclGroupRef(inner));
      if (space->getDeclName().isIdentifier() && space->getName() == "farside" && Space)
        renewDefaults();
      continue;
    }
    if (!named || !decl->getDeclContext()->getRedeclContext()->isFileContext())
      continue;
    if (const auto *function = dyn_cast<FunctionDecl>(decl);
        function && function->isTemplateInstantiation())
      continue;
    if (named->getDeclName().getCXXOverloadedOperator() == OO_LessLess) {
      ++Generation;
    } else if (const IdentifierInfo *name = named->getIdentifier()) {
      static constexpr llvm::StringRef names[] = {"to_string", "begin",       "end",
                                                  "formatter", "mime_bundle", "mime_bundle_repr"};
      bool completed = isa<TagDecl>(decl) && decl->getPreviousDecl();
      if (completed || llvm::is_contained(names, name->getName()))
        ++Generation;
    }
  }
  if (before != Generation && Space)
    renewDefaults();
}

void ShowBodies::define(FunctionDecl &function, bool rich) {
  Sema::SynthesizedFunctionScope scope(S, &function);
  std::vector<Stmt *> outer = std::exchange(Body, {});
  ParmVarDecl *out = function.getParamDecl(0);
  ParmVarDecl *parameter = function.getParamDecl(1);
  Expr *value = reference(parameter);
  if (!S.getLangOpts().CPlusPlus) {
    // The second parameter is an untyped pointer to the value.
    QualType type = MadeForC[DefinedForC - 1].first;
    QualType pointer = C.getPointerType(type);
    value = ImplicitCastExpr::Create(C, parameter->getType(), CK_LValueToRValue, value, nullptr,
                                     VK_PRValue, FPOptionsOverride());
    value = ImplicitCastExpr::Create(C, pointer, CK_BitCast, value, nullptr, VK_PRValue,
                                     FPOptionsOverride());
    value = built(S.BuildUnaryOp(nullptr, Loc, UO_Deref, value));
  }
  bool outerGiving = Giving;
  if (const TemplateArgumentList *made = function.getTemplateSpecializationArgs())
    Giving = (made->get(1).getAsIntegral().getZExtValue() & GivenBit) != 0;
  if (rich && !Plain)
    if (Expr *bundle = bundleOf(value))
      run("bundle", {}, {reference(out), bundle, number(0, C.IntTy)});
  if (Plain)
    showAddress(reference(out), value);
  else if (rich)
    show(reference(out), value);
  else if (Giving)
    give(reference(out), value);
  else
    fill(reference(out), value);
  Giving = outerGiving;
  function.setBody(CompoundStmt::Create(C, Body, FPOptionsOverride(), Loc, Loc));
  function.setInstantiationIsPending(false);
  function.markUsed(C);
  Body = std::move(outer);
}

/// `extern void show_N(void *out, void *object)`: of a static one Clang says that it has no body,
/// as long as that is true.
FunctionDecl *ShowBodies::functionForC(QualType type) {
  type = type.getCanonicalType();
  for (auto &[known, function] : MadeForC)
    if (known == type)
      return function;
  QualType parameters[] = {C.VoidPtrTy, C.VoidPtrTy};
  QualType signature = C.getFunctionType(C.VoidTy, parameters, FunctionProtoType::ExtProtoInfo());
  std::string name = "__farside_show_" + std::to_string(NumberForC++);
  auto *function =
      FunctionDecl::Create(C, C.getTranslationUnitDecl(), Loc, Loc, &C.Idents.get(name), signature,
                           C.getTrivialTypeSourceInfo(signature), SC_Extern);
  std::vector<ParmVarDecl *> made;
  for (QualType parameter : parameters)
    made.push_back(ParmVarDecl::Create(C, function, Loc, Loc, nullptr, parameter,
                                       C.getTrivialTypeSourceInfo(parameter), SC_None, nullptr));
  function->setParams(made);
  function->setImplicit();
  MadeForC.emplace_back(type, function);
  return function;
}

// ---------------------------------------------------------------------------- which way

ShowBodies::Way ShowBodies::wayOf(QualType type) {
  QualType bare = type.getCanonicalType().getUnqualifiedType();
  if (bare->isArrayType())
    return C.getAsConstantArrayType(bare) ? Way::array : Way::address;
  if (bare->isVectorType())
    return Way::vector;
  const auto *record = bare->getAsRecordDecl();
  if (!record)
    return Way::scalar;
  if (!S.isCompleteType(Loc, bare) || record->isInvalidDecl())
    return Way::address;
  const auto *cxx = dyn_cast<CXXRecordDecl>(record);
  if (!cxx)
    return Way::members;
  cxx = cxx->getDefinition();
  if (cxx->isLambda()) // to ask whether a generic one can be streamed would instantiate it
    return Way::members;
  Library library = libraryClass(*cxx);
  if (type.isVolatileQualified())
    return library == Library::none     ? Way::members
           : library == Library::atomic ? Way::library
                                        : Way::address;
  Expr *value = stand(type);
  if (!Giving && isStreamed(library) && textOf(value))
    return Way::text;
  if (!isStreamed(library))
    return Way::library;
  if (isThrowable(bare))
    return Way::thrown;
  if (isRange(value))
    return Way::range;
  // What the library keeps inside is nobody's business.
  if (library == Library::other && !cxx->isEmpty() &&
      (cxx->field_empty() ||
       llvm::any_of(cxx->fields(), [](const FieldDecl *field) { return isInternalName(*field); })))
    return Way::address;
  return Way::members;
}

/// Whether showing it runs no code but our own, on memory that is checked.
bool ShowBodies::isPlain(QualType type, unsigned depth) {
  if (depth > 8)
    return false;
  switch (wayOf(type)) {
  case Way::scalar:
  case Way::vector:
  case Way::address:
    return true;
  case Way::array:
    return isPlain(C.getBaseElementType(type), depth + 1);
  case Way::members:
    return hasPlainMembers(*type->getAsRecordDecl()->getDefinition(), depth);
  default:
    return false;
  }
}

bool ShowBodies::hasPlainMembers(const RecordDecl &record, unsigned depth) {
  if (const auto *cxx = dyn_cast<CXXRecordDecl>(&record)) {
    if (cxx->getNumVBases() != 0)
      return false;
    for (const CXXBaseSpecifier &base : cxx->bases())
      if (!isPlain(base.getType(), depth + 1))
        return false;
  }
  return llvm::all_of(record.fields(), [&](const FieldDecl *field) {
    return field->isBitField() || isPlain(field->getType().getNonReferenceType(), depth + 1);
  });
}

bool ShowBodies::isThrowable(QualType type) {
  const CXXRecordDecl *record = type->getAsCXXRecordDecl();
  if (!record || !S.getStdNamespace())
    return false;
  LookupResult found(S, &C.Idents.get("exception"), Loc, Sema::LookupTagName);
  found.suppressDiagnostics();
  if (!S.LookupQualifiedName(found, S.getStdNamespace()))
    return false;
  const auto *exception = found.getAsSingle<CXXRecordDecl>();
  if (!exception)
    return false;
  return record->getCanonicalDecl() == exception->getCanonicalDecl() ||
         record->isDerivedFrom(exception);
}

// ---------------------------------------------------------------------------- what its author says

namespace {

/// Whether a function is given the value itself, rather than what the value can be converted to.
bool takesItself(const Expr *argument, QualType type) {
  while (true) {
    argument = argument->IgnoreParens();
    if (const auto *cast = dyn_cast<ImplicitCastExpr>(argument)) {
      CastKind kind = cast->getCastKind();
      if (kind != CK_NoOp && kind != CK_DerivedToBase && kind != CK_UncheckedDerivedToBase &&
          kind != CK_LValueToRValue)
        return false;
      argument = cast->getSubExpr();
    } else if (const auto *copy = dyn_cast<CXXConstructExpr>(argument)) {
      return copy->getConstructor()->isCopyOrMoveConstructor();
    } else if (const auto *temporary = dyn_cast<MaterializeTemporaryExpr>(argument)) {
      argument = temporary->getSubExpr();
    } else if (const auto *bound = dyn_cast<CXXBindTemporaryExpr>(argument)) {
      argument = bound->getSubExpr();
    } else {
      return argument->getType().getCanonicalType().getUnqualifiedType() ==
             type.getCanonicalType().getUnqualifiedType();
    }
  }
}

const Expr *withoutCleanups(const Expr *expression) {
  if (const auto *cleanups = dyn_cast<ExprWithCleanups>(expression))
    expression = cleanups->getSubExpr();
  return expression->IgnoreImplicit();
}

} // namespace

/// `stream << value`, if a function is meant for values of this class.
Expr *ShowBodies::streamInsertion(Expr *value) {
  if (!S.getStdNamespace())
    return nullptr;
  LookupResult found(S, &C.Idents.get("ostream"), Loc, Sema::LookupOrdinaryName);
  found.suppressDiagnostics();
  if (!S.LookupQualifiedName(found, S.getStdNamespace()))
    return nullptr;
  const auto *stream = found.getAsSingle<TypedefNameDecl>();
  if (!stream)
    return nullptr;
  QualType type = stream->getUnderlyingType();
  if (!S.isCompleteType(Loc, type))
    return nullptr;
  auto build = [&] { return S.BuildBinOp(nullptr, Loc, BO_Shl, stand(type), value); };
  Expr *made = attemptUnevaluated(S, build);
  if (!made)
    return nullptr;
  const auto *call = dyn_cast<CXXOperatorCallExpr>(withoutCleanups(made));
  const FunctionDecl *callee = call ? call->getDirectCallee() : nullptr;
  if (!callee || isa<CXXMethodDecl>(callee) || call->getNumArgs() != 2 ||
      !takesItself(call->getArg(1), value->getType()))
    return nullptr;
  return stand(type);
}

/// Whether the program, and not the library, has specialised `std::formatter` for this class.
bool ShowBodies::hasFormatter(QualType type) {
  LookupResult found(S, &C.Idents.get("formatter"), Loc, Sema::LookupOrdinaryName);
  found.suppressDiagnostics();
  if (!S.getStdNamespace() || !S.LookupQualifiedName(found, S.getStdNamespace()))
    return false;
  auto *made = found.getAsSingle<ClassTemplateDecl>();
  if (!made)
    return false;
  // Nothing is instantiated: the program may specialise it later.
  TemplateArgument arguments[] = {TemplateArgument(type.getCanonicalType().getUnqualifiedType()),
                                  TemplateArgument(C.CharTy)};
  auto isWritten = [&](const NamedDecl &decl) {
    return !C.getSourceManager().isInSystemHeader(decl.getLocation());
  };
  void *position = nullptr;
  if (const auto *special = made->findSpecialization(arguments, position);
      special && special->isExplicitSpecialization())
    return isWritten(*special);
  llvm::SmallVector<ClassTemplatePartialSpecializationDecl *> partials;
  made->getPartialSpecializations(partials);
  return llvm::any_of(partials, [&](ClassTemplatePartialSpecializationDecl *partial) {
    sema::TemplateDeductionInfo info(Loc);
    return isWritten(*partial) &&
           S.DeduceTemplateArguments(partial, arguments, info) == TemplateDeductionResult::Success;
  });
}

/// `std::name(arguments)`; null where there is no such function.
Expr *ShowBodies::callOfStd(llvm::StringRef name, llvm::MutableArrayRef<Expr *> arguments) {
  LookupResult found(S, &C.Idents.get(name), Loc, Sema::LookupOrdinaryName);
  found.suppressDiagnostics();
  if (!S.LookupQualifiedName(found, S.getStdNamespace()))
    return nullptr;
  ExprResult callee = S.BuildDeclarationNameExpr(CXXScopeSpec(), found, false);
  if (callee.isInvalid())
    return nullptr;
  ExprResult call = S.BuildCallExpr(nullptr, callee.get(), Loc, arguments, Loc);
  return call.isInvalid() ? nullptr : call.get();
}

/// `std::vformat("{}", std::make_format_args(value))`, if the program says how it is formatted.
Expr *ShowBodies::formatted(Expr *value) {
  if (!hasFormatter(value->getType()))
    return nullptr;
  auto build = [&]() -> ExprResult {
    Expr *held[] = {value};
    Expr *arguments[] = {literal("{}"), callOfStd("make_format_args", held)};
    Expr *made = arguments[1] ? callOfStd("vformat", arguments) : nullptr;
    return made ? ExprResult(made) : ExprError();
  };
  return attemptUnevaluated(S, build) ? attempt(S, build) : nullptr;
}

/// `name(value)` with functions that are found by the argument alone.
Expr *ShowBodies::callByArguments(llvm::StringRef name, Expr *value) {
  auto build = [&]() -> ExprResult {
    LookupResult none(S, &C.Idents.get(name), Loc, Sema::LookupOrdinaryName);
    ExprResult callee = S.BuildDeclarationNameExpr(CXXScopeSpec(), none, /*NeedsADL=*/true);
    if (callee.isInvalid())
      return callee;
    Expr *arguments[] = {value};
    return S.BuildCallExpr(nullptr, callee.get(), Loc, arguments, Loc);
  };
  Expr *seen = attemptUnevaluated(S, build);
  if (!seen)
    return nullptr;
  const auto *call = dyn_cast<CallExpr>(withoutCleanups(seen));
  if (const auto *temporary = dyn_cast<CXXBindTemporaryExpr>(withoutCleanups(seen)))
    call = dyn_cast<CallExpr>(temporary->getSubExpr()->IgnoreImplicit());
  if (!call || call->getNumArgs() != 1 || !takesItself(call->getArg(0), value->getType()))
    return nullptr;
  return attempt(S, build);
}

Expr *ShowBodies::callMember(Expr *value, llvm::StringRef name) {
  CXXScopeSpec scope;
  UnqualifiedId id;
  id.setIdentifier(&C.Idents.get(name), Loc);
  ExprResult found = S.ActOnMemberAccessExpr(S.TUScope, value, Loc, tok::period, scope,
                                             SourceLocation(), id, nullptr);
  if (found.isInvalid())
    return nullptr;
  return built(S.BuildCallExpr(nullptr, found.get(), Loc, {}, Loc));
}

/// The text that the author of the class gives it, or the stream that it is to be written to; null
/// if there is none.
Expr *ShowBodies::textOf(Expr *value) {
  Expr *text = formatted(value);
  if (Expr *stream = text ? nullptr : streamInsertion(value))
    return stream;
  if (!text)
    text = callByArguments("to_string", value);
  if (!text)
    return nullptr;
  auto build = [&] {
    Expr *arguments[] = {number(0, C.IntTy), text};
    arguments[0] = stand(C.VoidPtrTy);
    return S.BuildCallExpr(nullptr, helper("text", {}), Loc, arguments, Loc);
  };
  return attemptUnevaluated(S, build) ? text : nullptr;
}

Expr *ShowBodies::bundleOf(Expr *value) {
  const CXXRecordDecl *record = value->getType()->getAsCXXRecordDecl();
  if (!record || record->isLambda() || !S.isCompleteType(Loc, value->getType()) ||
      value->getType().isVolatileQualified())
    return nullptr;
  for (const char *name : {"mime_bundle", "mime_bundle_repr"}) {
    Expr *bundle = callByArguments(name, value);
    auto build = [&] {
      Expr *arguments[] = {stand(C.VoidPtrTy), bundle, number(0, C.IntTy)};
      return S.BuildCallExpr(nullptr, helper("bundle", {}), Loc, arguments, Loc);
    };
    // What gives no texts by MIME type only happens to have that name.
    if (bundle && attemptUnevaluated(S, build))
      return bundle;
  }
  return nullptr;
}

/// `value.begin()`, or `begin(value)` where the class has no such member; null if there is neither.
Expr *ShowBodies::callOfRange(llvm::StringRef name, Expr *value) {
  const CXXRecordDecl *record = value->getType()->getAsCXXRecordDecl();
  bool member = record->hasDefinition() && [&] {
    LookupResult found(S, &C.Idents.get(name), Loc, Sema::LookupMemberName);
    found.suppressDiagnostics();
    return S.LookupQualifiedName(found, const_cast<CXXRecordDecl *>(record->getDefinition()));
  }();
  if (!member)
    return callByArguments(name, value);
  return attemptUnevaluated(S, [&]() -> ExprResult {
    Expr *made = callMember(value, name);
    return made ? ExprResult(made) : ExprError();
  });
}

bool ShowBodies::isRange(Expr *value) {
  return callOfRange("begin", value) && callOfRange("end", value);
}

} // namespace farside
