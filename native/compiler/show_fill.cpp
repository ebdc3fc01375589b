// The bodies of the functions that show values: what each kind of type is walked into.
#include "show_bodies.h"

#include "attempt.h"
#include "shown_header.h"
#include "shown_types.h"

#include "farside/value_kinds.h"

#include "clang/AST/CXXInheritance.h"
#include "clang/AST/ExprCXX.h"
#include "clang/Sema/Lookup.h"
#include "clang/Sema/Template.h"

namespace farside {

using namespace clang;

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
  case Way::text: {
    Expr *text = textOf(value);
    if (!isa<OpaqueValueExpr>(text))
      return run("text", {}, {out, text});
    std::vector<TemplateArgument> with = {TemplateArgument(text->getType())};
    llvm::append_range(with, typeArguments(value->getType()));
    return run("streamed", with, {out, value});
  }
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
  if (Giving)
    return giveOpaque(out, value);
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
  if (type->isFunctionType()) {
    Expr *wide = built(S.BuildCStyleCastExpr(
        Loc, C.getTrivialTypeSourceInfo(C.UnsignedLongLongTy, Loc), Loc, address));
    return run("__farside_integer", {out, kind(FARSIDE_VALUE_FUNCTION), wide, size(8)});
  }
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

/// The type of an array's, or a vector's, elements, and how many there are.
std::pair<QualType, uint64_t> ShowBodies::elementsOf(QualType type) {
  if (const auto *array = C.getAsConstantArrayType(type))
    return {array->getElementType(), array->getZExtSize()};
  const auto *vector = type->castAs<VectorType>();
  return {vector->getElementType(), vector->getNumElements()};
}

void ShowBodies::fillArray(Expr *out, Expr *value) {
  QualType type = value->getType();
  auto [element, count] = elementsOf(type);
  if (type->isVectorType() && element->isBooleanType()) // a bit each
    return run("__farside_bits", {out, addressOf(value), size(count)});
  Expr *address = addressOf(value);
  Expr *bytes = size(static_cast<uint64_t>(C.getTypeSizeInChars(element).getQuantity()));
  if (type->isArrayType())
    if (auto string = stringKind(C, element)) {
      unsigned known = *string == FARSIDE_VALUE_STRING ? FARSIDE_VALUE_CSTR : *string;
      return run("__farside_chars", {out, kind(known), address, size(count), size(2)});
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
  bool dynamic = cxx && cxx->isPolymorphic() && !Giving;
  if (dynamic)
    run("__farside_open_dynamic",
        {out, addressOf(value), literal(typeName(C, value->getType().getUnqualifiedType()))});
  std::string name = Giving ? typeName(C, value->getType().getUnqualifiedType()) : "";
  run("__farside_open", {out, kind(FARSIDE_VALUE_RECORD), literal(name)});
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
    if (!decl || (decl->isEmpty() && !Giving))
      continue;
    QualType type = C.getQualifiedType(base.getType(), value->getType().getQualifiers());
    CXXCastPath path;
    path.push_back(&base);
    Expr *part = ImplicitCastExpr::Create(C, type, CK_UncheckedDerivedToBase, value, &path,
                                          VK_LValue, FPOptionsOverride());
    std::string name = typeName(C, base.getType());
    // What a derived object has once is told from what it has once for each of its bases.
    const char *opening = Giving && base.isVirtual() ? "<virtual " : "<";
    run("__farside_label", {out, literal(opening + name + ">")});
    if (!decl->isEmpty())
      show(out, part);
    else // it has its place among the initialisers of an aggregate
      giveWithin(FARSIDE_VALUE_RECORD, out, name, [] {});
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
    auto number = numberKind(C, bare);
    auto known = Giving && number ? number : scalarKind(C, bare);
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
  case Library::subMatch:
    return simple("matched");
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
    run("converted",
        {TemplateArgument(record.getName() == "fpos"   ? C.LongLongTy
                          : record.getName() == "year" ? C.IntTy
                                                       : C.UnsignedIntTy)},
        {out, value,
         kind(record.getName() == "fpos" || record.getName() == "year" ? FARSIDE_VALUE_INT
                                                                       : FARSIDE_VALUE_UINT)});
    return true;
  case Library::complex:
    run("__farside_leaf", {out, kind(FARSIDE_VALUE_COMPLEX), addressOf(value),
                           size(static_cast<uint64_t>(C.getTypeSizeInChars(type).getQuantity()))});
    return true;
  case Library::ndspan:
    return simple("grid");
  case Library::observed:
    return fillObserved(out, value, record);
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
    const auto *around = dyn_cast<NamespaceDecl>(record.getDeclContext());
    bool known = around && around->getName() == "__exception_ptr"; // of libstdc++
    run("rethrown", {TemplateArgument(exception)}, {out, value, function, size(known)});
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
                  number(static_cast<uint64_t>(down), C.LongLongTy),
                  literal(Giving ? typeName(C, type.getUnqualifiedType()) : "")});
  }
  run("since", typeArguments(type), {out, value});
}

void ShowBodies::fillAny(Expr *out, Expr *value) {
  LookupResult found(S, &C.Idents.get("string"), Loc, Sema::LookupOrdinaryName);
  found.suppressDiagnostics();
  S.LookupQualifiedName(found, S.getStdNamespace());
  const auto *string = found.getAsSingle<TypedefNameDecl>();
  QualType type = string ? string->getUnderlyingType() : QualType();
  std::vector<TemplateArgument> with = typeArguments(value->getType());
  bool known = !type.isNull() && S.isCompleteType(Loc, type);
  if (known)
    with.push_back(TemplateArgument(type.getCanonicalType()));
  Any = value->getType()->getAsCXXRecordDecl();
  std::vector<QualType> held = heldByAny();
  HeldByAny = held.size();
  for (QualType each : held)
    if (!Giving || !isOpaque(each))
      with.push_back(TemplateArgument(each));
  run(known ? "any_string" : "anything", with, {out, value});
}

/// The types that code has put into a `std::any`, or tried to: the library makes a class for each
/// of them.
std::vector<QualType> ShowBodies::heldByAny() {
  std::vector<QualType> found;
  if (!Any)
    return found;
  DeclContext *scope = Any->getDefinition(); // of libstdc++
  LookupResult inner(S, &C.Idents.get("__any_imp"), Loc, Sema::LookupNamespaceName);
  inner.suppressDiagnostics();
  if (S.LookupQualifiedName(inner, Any->getDeclContext()->getRedeclContext()))
    if (auto *space = inner.getAsSingle<NamespaceDecl>()) // of libc++
      scope = space;
  for (const char *name :
       {"_Manager_internal", "_Manager_external", "_SmallHandler", "_LargeHandler"}) {
    LookupResult managers(S, &C.Idents.get(name), Loc, Sema::LookupOrdinaryName);
    managers.suppressDiagnostics();
    auto *made = S.LookupQualifiedName(managers, scope) ? managers.getAsSingle<ClassTemplateDecl>()
                                                        : nullptr;
    if (!made)
      continue;
    for (const ClassTemplateSpecializationDecl *each : made->specializations()) {
      const TemplateArgument &type = each->getTemplateArgs()[0];
      if (type.getKind() == TemplateArgument::Type && type.getAsType()->isObjectType() &&
          !type.getAsType()->isDependentType() && S.isCompleteType(Loc, type.getAsType()))
        found.push_back(type.getAsType().getCanonicalType());
    }
  }
  return found;
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
  unsigned number = Generation | (Giving ? GivenBit : 0);
  return {TemplateArgument(type.getCanonicalType()), argument(number, C.UnsignedIntTy)};
}

} // namespace farside
