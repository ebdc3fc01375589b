#include "show_bodies.h"

#include "shown_types.h"

#include "farside/value_kinds.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/CXXInheritance.h"
#include "clang/AST/ExprCXX.h"
#include "clang/Sema/EnterExpressionEvaluationContext.h"
#include "clang/Sema/Lookup.h"
#include "clang/Sema/Template.h"

namespace farside {

using namespace clang;

namespace {

/// Members are shown whoever may name them.
class AccessOff {
public:
  explicit AccessOff(Sema &sema)
      : Options(const_cast<LangOptions &>(sema.getLangOpts())), Before(Options.AccessControl != 0) {
    Options.AccessControl = false;
  }
  ~AccessOff() { Options.AccessControl = Before ? 1 : 0; }
  AccessOff(const AccessOff &) = delete;
  AccessOff &operator=(const AccessOff &) = delete;

private:
  LangOptions &Options;
  bool Before;
};

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
  QualType type = glvalue->getType();
  unsigned guarded = isPlain(type) ? 0 : 1;
  Expr *entry = nullptr;
  if (S.getLangOpts().CPlusPlus) {
    bool rich = bundleOf(stand(type)) != nullptr;
    entry = helper(rich ? "rich_entry" : "entry", typeArguments(type));
    guarded |= rich;
  } else {
    entry = reference(functionForC(type));
  }
  LookupResult found(S, &C.Idents.get("__farside_show"), Loc, Sema::LookupOrdinaryName);
  S.LookupQualifiedName(found, C.getTranslationUnitDecl());
  Expr *callee = built(S.BuildDeclarationNameExpr(CXXScopeSpec(), found, false));
  Expr *arguments[] = {entry, addressOf(glvalue), kind(guarded), size(Elements)};
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
  Called = false;
  MadeForC.clear(); // in C each cell has its own
  DefinedForC = 0;
}

/// farside::display<T, G> (farside/display.h) is given the present G.
void ShowBodies::renewDefaults() {
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
      if (const auto *made = dyn_cast<FunctionTemplateDecl>(decl);
          made && made->getTemplateParameters()->size() == 2)
        if (auto *last =
                dyn_cast<NonTypeTemplateParmDecl>(made->getTemplateParameters()->getParam(1));
            last && last->hasDefaultArgument()) {
          Expr *present = number(Generation, C.UnsignedIntTy);
          last->removeDefaultArgument();
          last->setDefaultArgument(
              C, TemplateArgumentLoc(TemplateArgument(present, /*IsCanonical=*/false), present));
        }
  }
}

void ShowBodies::declared(DeclGroupRef decls) {
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
  if (rich)
    if (Expr *bundle = bundleOf(value))
      run("bundle", {}, {reference(out), bundle, number(0, C.IntTy)});
  if (rich)
    show(reference(out), value);
  else
    fill(reference(out), value);
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
  Library library = libraryClass(*cxx);
  if (type.isVolatileQualified())
    return library == Library::none     ? Way::members
           : library == Library::atomic ? Way::library
                                        : Way::address;
  Expr *value = stand(type);
  if (isStreamed(library) && textOf(value))
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

/// Builds an expression to see whether there is one; null if not.
template <typename Build> Expr *attempt(Sema &sema, Build build) {
  Sema::SFINAETrap trap(sema, /*WithAccessChecking=*/true);
  ExprResult result = build();
  if (result.isInvalid() || !result.get() || trap.hasErrorOccurred() ||
      result.get()->containsErrors())
    return nullptr;
  return result.get();
}

template <typename Build> Expr *attemptUnevaluated(Sema &sema, Build build) {
  EnterExpressionEvaluationContext context(sema, Sema::ExpressionEvaluationContext::Unevaluated);
  return attempt(sema, build);
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
  if (Expr *stream = streamInsertion(value))
    return stream;
  Expr *text = callByArguments("to_string", value);
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
  if (!value->getType()->getAsCXXRecordDecl() || !S.isCompleteType(Loc, value->getType()) ||
      value->getType().isVolatileQualified())
    return nullptr;
  for (const char *name : {"mime_bundle", "mime_bundle_repr"})
    if (Expr *bundle = callByArguments(name, value))
      return bundle;
  return nullptr;
}

bool ShowBodies::isRange(Expr *value) {
  auto calls = [&](llvm::StringRef name) {
    const CXXRecordDecl *record = value->getType()->getAsCXXRecordDecl();
    bool member = record->hasDefinition() && [&] {
      LookupResult found(S, &C.Idents.get(name), Loc, Sema::LookupMemberName);
      found.suppressDiagnostics();
      return S.LookupQualifiedName(found, const_cast<CXXRecordDecl *>(record->getDefinition()));
    }();
    if (!member)
      return callByArguments(name, value) != nullptr;
    return attemptUnevaluated(S, [&]() -> ExprResult {
             Expr *made = callMember(value, name);
             return made ? ExprResult(made) : ExprError();
           }) != nullptr;
  };
  return calls("begin") && calls("end");
}

// ---------------------------------------------------------------------------- bodies

void ShowBodies::fill(Expr *out, Expr *value) {
  switch (wayOf(value->getType())) {
  case Way::scalar:
    return fillScalar(out, value);
  case Way::array:
  case Way::vector:
    return fillArray(out, value);
  case Way::members:
    return fillMembers(out, value);
  case Way::range:
    return run("range", typeArguments(value->getType()), {out, value});
  case Way::thrown:
    return run("thrown", {TemplateArgument(value->getType())},
               {out, value, literal(typeName(C, value->getType().getUnqualifiedType()))});
  case Way::text:
    if (Expr *stream = streamInsertion(value))
      return run("streamed",
                 {TemplateArgument(stream->getType()), TemplateArgument(value->getType())},
                 {out, value});
    return run("text", {}, {out, textOf(value)});
  case Way::library:
    if (fillLibrary(out, value))
      return;
    break;
  case Way::address:
    break;
  }
  showAddress(out, value);
}

/// As for a class of which nothing is known but where it lies.
void ShowBodies::showAddress(Expr *out, Expr *value) {
  run("__farside_address", {out, addressOf(value)});
}

void ShowBodies::fillScalar(Expr *out, Expr *value) {
  QualType type = value->getType().getCanonicalType();
  if (type->isAtomicType()) {
    ExprResult loaded = S.DefaultLvalueConversion(value);
    auto known = scalarKind(C, loaded.get()->getType());
    if (known && loaded.get()->getType()->isIntegralOrEnumerationType())
      return run("__farside_integer",
                 {out, kind(*known), loaded.get(),
                  size(static_cast<uint64_t>(
                      C.getTypeSizeInChars(loaded.get()->getType()).getQuantity()))});
    return showAddress(out, value);
  }
  Expr *address = addressOf(value);
  if (type->isFunctionType())
    return showAddress(out, value);
  Expr *bytes = size(static_cast<uint64_t>(C.getTypeSizeInChars(type).getQuantity()));
  if (const auto *member = type->getAs<MemberPointerType>()) {
    if (member->isMemberDataPointer())
      return run(
          "__farside_member",
          {out, address, literal(memberTable(C, *member->getMostRecentCXXRecordDecl()) + '\0')});
    return run("__farside_leaf", {out, kind(FARSIDE_VALUE_METHOD), address, bytes});
  }
  if (const auto *enumeration = type->getAs<EnumType>())
    return run("__farside_enum", {out, kind(*scalarKind(C, type)), address, bytes,
                                  literal(enumeratorTable(C, *enumeration->getDecl()) + '\0')});
  if (type->isPointerType() && !type->getPointeeType().isVolatileQualified())
    if (auto string = stringKind(C, type->getPointeeType())) {
      unsigned known = *string == FARSIDE_VALUE_STRING ? FARSIDE_VALUE_CSTR : *string;
      // The pointer is read by the far side, which can tell that it cannot be.
      return run("__farside_chars", {out, kind(known), address, size(0), size(0)});
    }
  if (auto known = scalarKind(C, type))
    return run("__farside_leaf",
               {out, kind(*known), address, *known == FARSIDE_VALUE_NULLPTR ? size(0) : bytes});
  showAddress(out, value);
}

void ShowBodies::fillArray(Expr *out, Expr *value) {
  QualType type = value->getType();
  QualType element;
  uint64_t count = 0;
  if (const auto *array = C.getAsConstantArrayType(type)) {
    element = array->getElementType();
    count = array->getZExtSize();
  } else {
    const auto *vector = type->castAs<VectorType>();
    element = vector->getElementType();
    count = vector->getNumElements();
    if (element->isBooleanType())
      return showAddress(out, value);
  }
  Expr *address = addressOf(value);
  Expr *bytes = size(static_cast<uint64_t>(C.getTypeSizeInChars(element).getQuantity()));
  if (type->isArrayType())
    if (auto string = stringKind(C, element)) {
      unsigned known = *string == FARSIDE_VALUE_STRING ? FARSIDE_VALUE_CSTR : *string;
      return run("__farside_chars", {out, kind(known), address, size(count), size(1)});
    }
  auto known = scalarKind(C, element);
  bool named = element->isEnumeralType() || element->isPointerType() || element->isNullPtrType();
  if (known && !named)
    return run("__farside_array", {out, kind(*known), address, bytes, size(count)});
  if (!S.getLangOpts().CPlusPlus) {
    run("__farside_open", {out, kind(FARSIDE_VALUE_SEQUENCE), literal("")});
    for (uint64_t i = 0; i < std::min<uint64_t>(count, Elements); ++i) {
      ExprResult one = S.CreateBuiltinArraySubscriptExpr(value, Loc, size(i), Loc);
      show(out, built(one));
    }
    if (count > Elements) {
      run("__farside_count", {out, size(count)});
      run("__farside_more", {out});
    }
    return run("__farside_close", {out});
  }
  ExprResult decayed = S.DefaultFunctionArrayConversion(value);
  QualType pointee = decayed.get()->getType()->getPointeeType();
  run("elements", typeArguments(pointee), {out, decayed.get(), size(count)});
}

void ShowBodies::fillMembers(Expr *out, Expr *value) {
  AccessOff off(S);
  RecordDecl *record = value->getType()->getAsRecordDecl()->getDefinition();
  auto *cxx = dyn_cast<CXXRecordDecl>(record);
  bool dynamic = cxx && cxx->isPolymorphic();
  if (dynamic)
    run("__farside_open_dynamic",
        {out, addressOf(value), literal(typeName(C, value->getType().getUnqualifiedType()))});
  run("__farside_open", {out, kind(FARSIDE_VALUE_RECORD), literal("")});
  if (cxx)
    fillBases(out, value, *cxx);
  fillFields(out, value, *record);
  run("__farside_close", {out});
  if (dynamic)
    run("__farside_close", {out});
}

void ShowBodies::fillBases(Expr *out, Expr *value, CXXRecordDecl &record) {
  for (CXXBaseSpecifier &base : record.bases()) {
    const CXXRecordDecl *decl = base.getType()->getAsCXXRecordDecl();
    if (!decl || decl->isEmpty())
      continue;
    QualType type = C.getQualifiedType(base.getType(), value->getType().getQualifiers());
    CXXCastPath path;
    path.push_back(&base);
    Expr *part = ImplicitCastExpr::Create(C, type, CK_UncheckedDerivedToBase, value, &path,
                                          VK_LValue, FPOptionsOverride());
    run("__farside_label", {out, literal("<" + typeName(C, base.getType()) + ">")});
    show(out, part);
  }
}

void ShowBodies::fillFields(Expr *out, Expr *value, const RecordDecl &record) {
  std::vector<std::string> captured;
  if (const auto *cxx = dyn_cast<CXXRecordDecl>(&record); cxx && cxx->isLambda())
    for (const LambdaCapture &capture : cxx->captures())
      captured.push_back(capture.capturesThis()       ? "this"
                         : capture.capturesVariable() ? capture.getCapturedVar()->getName().str()
                                                      : "");
  for (FieldDecl *field : record.fields()) {
    if (field->isUnnamedBitField())
      continue;
    std::string name = field->getIdentifier() ? field->getName().str() : "";
    if (field->getFieldIndex() < captured.size())
      name = captured[field->getFieldIndex()];
    if (field->isAnonymousStructOrUnion()) {
      fillFields(out, memberOf(value, *field),
                 *field->getType()->getAsRecordDecl()->getDefinition());
      continue;
    }
    // Which member of a union is alive is not known; those that are plain bytes do no harm.
    if (record.isUnion() && !isPlain(field->getType()))
      continue;
    run("__farside_label", {out, literal(name)});
    fillField(out, value, *field);
  }
}

void ShowBodies::fillField(Expr *out, Expr *base, FieldDecl &field) {
  Expr *member = memberOf(base, field);
  QualType type = field.getType();
  if (field.isBitField()) {
    ExprResult loaded = S.DefaultLvalueConversion(member);
    QualType bare = type.getCanonicalType();
    auto known = scalarKind(C, bare);
    uint64_t bytes = static_cast<uint64_t>(C.getTypeSizeInChars(bare).getQuantity());
    if (known && bytes <= 8 && !loaded.isInvalid()) {
      Expr *wide = built(S.BuildCStyleCastExpr(
          Loc, C.getTrivialTypeSourceInfo(C.UnsignedLongLongTy, Loc), Loc, loaded.get()));
      return run("__farside_integer", {out, kind(*known), wide, size(bytes)});
    }
    run("__farside_open", {out, kind(FARSIDE_VALUE_OPTIONAL), literal("…")});
    return run("__farside_close", {out});
  }
  // What a reference refers to may refer back.
  if (type->isReferenceType() && wayOf(type.getNonReferenceType()) != Way::scalar)
    return showAddress(out, member);
  if (member->getType()->isIncompleteArrayType())
    return showAddress(out, member);
  show(out, member);
}

bool ShowBodies::fillLibrary(Expr *out, Expr *value) {
  QualType type = value->getType();
  const CXXRecordDecl &record = *type->getAsCXXRecordDecl()->getDefinition();
  auto arguments = typeArguments(type);
  auto simple = [&](llvm::StringRef name, bool nested = true) {
    run(name, nested ? llvm::ArrayRef(arguments) : llvm::ArrayRef(arguments).take_front(1),
        {out, value});
    return true;
  };
  switch (libraryClass(record)) {
  case Library::map:
    return simple("map");
  case Library::range:
    return simple("range");
  case Library::pair:
    return simple("pair");
  case Library::optional:
    return simple("optional");
  case Library::any:
    fillAny(out, value);
    return true;
  case Library::function:
    return simple("function", false);
  case Library::weakPointer:
    return simple("locked");
  case Library::reference:
    return simple("referred");
  case Library::bitset:
    return simple("digits", false);
  case Library::bitReference:
    return simple("flag", false);
  case Library::date:
    return simple("date");
  case Library::weekday:
    return simple("weekday", false);
  case Library::path:
    return simple("path", false);
  case Library::atomic:
    return simple("loaded");
  case Library::atomicFlag:
    return C.getLangOpts().CPlusPlus20 && simple("tested", false);
  case Library::timePoint:
    fillTime(out, value, record);
    return true;
  case Library::number:
    run("converted", {TemplateArgument(record.getName() == "year" ? C.IntTy : C.UnsignedIntTy)},
        {out, value, kind(record.getName() == "year" ? FARSIDE_VALUE_INT : FARSIDE_VALUE_UINT)});
    return true;
  case Library::complex:
    run("__farside_leaf", {out, kind(FARSIDE_VALUE_COMPLEX), addressOf(value),
                           size(static_cast<uint64_t>(C.getTypeSizeInChars(type).getQuantity()))});
    return true;
  case Library::iterator:
    run("__farside_leaf", {out, kind(FARSIDE_VALUE_POINTER), addressOf(value), size(8)});
    return true;
  default:
    return fillTyped(out, value, record);
  }
}

/// Those that depend on what they are made of.
bool ShowBodies::fillTyped(Expr *out, Expr *value, const CXXRecordDecl &record) {
  QualType type = value->getType();
  const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(&record);
  auto arguments = typeArguments(type);
  Library library = libraryClass(record);
  if (library == Library::exceptionPointer) {
    LookupResult rethrow(S, &C.Idents.get("rethrow_exception"), Loc, Sema::LookupOrdinaryName);
    LookupResult base(S, &C.Idents.get("exception"), Loc, Sema::LookupTagName);
    if (!S.LookupQualifiedName(rethrow, S.getStdNamespace()) ||
        !S.LookupQualifiedName(base, S.getStdNamespace()))
      return false;
    QualType exception = C.getCanonicalTagType(base.getAsSingle<CXXRecordDecl>());
    Expr *function = built(S.BuildDeclarationNameExpr(CXXScopeSpec(), rethrow, false));
    run("rethrown", {TemplateArgument(exception)}, {out, value, function});
    return true;
  }
  if (!made || made->getTemplateArgs().size() == 0)
    return false;
  const TemplateArgumentList &list = made->getTemplateArgs();
  bool ofType = list[0].getKind() == TemplateArgument::Type;
  QualType first = ofType ? list[0].getAsType() : QualType();
  switch (library) {
  case Library::string: {
    auto known = stringKind(C, first);
    if (known)
      run("string", {arguments[0]}, {out, value, kind(*known)});
    else
      run("range", arguments, {out, value});
    return true;
  }
  case Library::flat:
  case Library::list: {
    auto known = scalarKind(C, first);
    bool named = first->isEnumeralType() || first->isPointerType() || first->isNullPtrType() ||
                 first.isVolatileQualified();
    bool packed = record.getName() == "vector" && first->isBooleanType();
    if (!known || named || packed)
      run("range", arguments, {out, value});
    else
      run(library == Library::flat ? "flat" : "list", {arguments[0]},
          {out, value, kind(*known),
           size(static_cast<uint64_t>(C.getTypeSizeInChars(first).getQuantity()))});
    return true;
  }
  case Library::tuple:
  case Library::variant: {
    if (list[0].getKind() != TemplateArgument::Pack)
      return false;
    bool all = library == Library::tuple;
    if (all)
      run("__farside_open", {out, kind(FARSIDE_VALUE_TUPLE), literal("")});
    uint64_t index = 0;
    for (const TemplateArgument &each : list[0].pack_elements()) {
      std::vector<TemplateArgument> with = arguments;
      with.push_back(argument(index++, C.getSizeType()));
      if (all)
        run("element", with, {out, value});
      else
        run("alternative", with, {out, value, literal(typeName(C, each.getAsType()))});
    }
    if (all)
      run("__farside_close", {out});
    else
      run("valueless", {arguments[0]}, {out, value});
    return true;
  }
  case Library::expected:
    run(first->isVoidType() ? "expected_void" : "expected", arguments, {out, value});
    return true;
  case Library::smartPointer: {
    Expr *pointer = attemptUnevaluated(S, [&]() -> ExprResult {
      Expr *got = callMember(value, "get");
      return got ? ExprResult(got) : ExprError();
    });
    if (!pointer || !pointer->getType()->isPointerType())
      return false;
    QualType pointee = pointer->getType()->getPointeeType();
    bool opaque = first->isArrayType() || pointee->isVoidType() || pointee->isFunctionType() ||
                  !S.isCompleteType(Loc, pointee);
    run(opaque ? "address" : "pointee", llvm::ArrayRef(arguments).take_front(opaque ? 1 : 2),
        {out, value});
    return true;
  }
  case Library::duration:
    run("quantity", arguments, {out, value, literal(durationUnit(record))});
    return true;
  case Library::adaptor: {
    AccessOff off(S);
    for (FieldDecl *field : record.fields())
      if (field->getIdentifier() && field->getName() == "c") {
        show(out, memberOf(value, *field));
        return true;
      }
    return false;
  }
  default:
    return false;
  }
}

/// Times of the system clock are times of day; those of others count from nothing in particular.
void ShowBodies::fillTime(Expr *out, Expr *value, const CXXRecordDecl &record) {
  const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(&record);
  QualType type = value->getType();
  const CXXRecordDecl *clock = made->getTemplateArgs()[0].getAsType()->getAsCXXRecordDecl();
  const auto *duration = dyn_cast_or_null<ClassTemplateSpecializationDecl>(
      made->getTemplateArgs()[1].getAsType()->getAsCXXRecordDecl());
  if (clock && duration && clock->getName() == "system_clock") {
    std::string unit = durationUnit(*duration);
    auto [up, down] = unit == "ns"    ? std::pair{1LL, 1LL}
                      : unit == "µs"  ? std::pair{1000LL, 1LL}
                      : unit == "ms"  ? std::pair{1000000LL, 1LL}
                      : unit == "s"   ? std::pair{1000000000LL, 1LL}
                      : unit == "min" ? std::pair{60000000000LL, 1LL}
                      : unit == "h"   ? std::pair{3600000000000LL, 1LL}
                      : unit == "d"   ? std::pair{86400000000000LL, 1LL}
                                      : std::pair{0LL, 1LL};
    if (up != 0)
      return run("system_time", {TemplateArgument(type)},
                 {out, value, number(static_cast<uint64_t>(up), C.LongLongTy),
                  number(static_cast<uint64_t>(down), C.LongLongTy)});
  }
  run("since", typeArguments(type), {out, value});
}

void ShowBodies::fillAny(Expr *out, Expr *value) {
  LookupResult found(S, &C.Idents.get("string"), Loc, Sema::LookupOrdinaryName);
  found.suppressDiagnostics();
  S.LookupQualifiedName(found, S.getStdNamespace());
  const auto *string = found.getAsSingle<TypedefNameDecl>();
  QualType type = string ? string->getUnderlyingType() : QualType();
  if (!type.isNull() && S.isCompleteType(Loc, type))
    run("any_string", {TemplateArgument(type.getCanonicalType())}, {out, value});
  else
    run("anything", {}, {out, value});
}

// ---------------------------------------------------------------------------- expressions

Expr *ShowBodies::stand(QualType type) { return new (C) OpaqueValueExpr(Loc, type, VK_LValue); }

Expr *ShowBodies::number(uint64_t value, QualType type) {
  return IntegerLiteral::Create(C, llvm::APInt(static_cast<unsigned>(C.getTypeSize(type)), value),
                                type, Loc);
}

Expr *ShowBodies::literal(llvm::StringRef text) {
  QualType type = C.getStringLiteralArrayType(C.CharTy, static_cast<unsigned>(text.size()));
  return StringLiteral::Create(C, text, StringLiteralKind::Ordinary, false, type, Loc);
}

/// `&value`, whatever the class has made of the operator.
Expr *ShowBodies::addressOf(Expr *glvalue) {
  return UnaryOperator::Create(C, glvalue, UO_AddrOf, C.getPointerType(glvalue->getType()),
                               VK_PRValue, OK_Ordinary, Loc, false, FPOptionsOverride());
}

Expr *ShowBodies::reference(ValueDecl *decl) {
  return S.BuildDeclRefExpr(decl, decl->getType().getNonReferenceType(), VK_LValue, Loc);
}

Expr *ShowBodies::memberOf(Expr *base, FieldDecl &field) {
  return built(S.BuildFieldReferenceExpr(base, /*IsArrow=*/false, Loc, CXXScopeSpec(), &field,
                                         DeclAccessPair::make(&field, AS_public),
                                         DeclarationNameInfo(field.getDeclName(), Loc)));
}

/// A placeholder keeps the construction going after an error, which is reported.
Expr *ShowBodies::built(ExprResult result) {
  return result.isInvalid() || !result.get() ? number(0, C.IntTy) : result.get();
}

Expr *ShowBodies::helper(llvm::StringRef name, llvm::ArrayRef<TemplateArgument> arguments) {
  LookupResult found(S, &C.Idents.get(name), Loc, Sema::LookupOrdinaryName);
  S.LookupQualifiedName(found, Space);
  if (arguments.empty())
    return built(S.BuildDeclarationNameExpr(CXXScopeSpec(), found, false));
  TemplateArgumentListInfo list(Loc, Loc);
  for (const TemplateArgument &each : arguments) {
    QualType type =
        each.getKind() == TemplateArgument::Integral ? each.getIntegralType() : QualType();
    list.addArgument(S.getTrivialTemplateArgumentLoc(each, type, Loc));
  }
  return built(S.BuildTemplateIdExpr(CXXScopeSpec(), SourceLocation(), found, false, &list));
}

void ShowBodies::run(llvm::StringRef name, llvm::ArrayRef<TemplateArgument> arguments,
                     llvm::ArrayRef<Expr *> parameters) {
  std::vector<Expr *> copy(parameters.begin(), parameters.end());
  ExprResult call = S.BuildCallExpr(nullptr, helper(name, arguments), Loc, copy, Loc);
  call = S.ActOnFinishFullExpr(built(call), Loc, /*DiscardedValue=*/false);
  Body.push_back(built(call));
}

void ShowBodies::run(llvm::StringRef function, llvm::ArrayRef<Expr *> arguments) {
  LookupResult found(S, &C.Idents.get(function), Loc, Sema::LookupOrdinaryName);
  S.LookupQualifiedName(found, C.getTranslationUnitDecl());
  Expr *callee = built(S.BuildDeclarationNameExpr(CXXScopeSpec(), found, false));
  std::vector<Expr *> copy(arguments.begin(), arguments.end());
  ExprResult call = S.BuildCallExpr(nullptr, callee, Loc, copy, Loc);
  call = S.ActOnFinishFullExpr(built(call), Loc, /*DiscardedValue=*/false);
  Body.push_back(built(call));
}

/// Shows a part by the function for its type.
void ShowBodies::show(Expr *out, Expr *value) {
  if (S.getLangOpts().CPlusPlus)
    return run("show", typeArguments(value->getType()), {out, value});
  Expr *arguments[] = {out, addressOf(value)};
  ExprResult call =
      S.BuildCallExpr(nullptr, reference(functionForC(value->getType())), Loc, arguments, Loc);
  call = S.ActOnFinishFullExpr(built(call), Loc, /*DiscardedValue=*/false);
  Body.push_back(built(call));
}

TemplateArgument ShowBodies::argument(uint64_t value, QualType type) {
  llvm::APSInt number(llvm::APInt(static_cast<unsigned>(C.getTypeSize(type)), value),
                      type->isUnsignedIntegerType());
  return TemplateArgument(C, number, type);
}

std::vector<TemplateArgument> ShowBodies::typeArguments(QualType type) {
  return {TemplateArgument(type.getCanonicalType()), argument(Generation, C.UnsignedIntTy)};
}

} // namespace farside
