// The bodies of the functions that give values to Python: what each kind of type is given as.
//
// The tokens are those of a value that is shown where these say enough. What they leave out is said
// besides: the types of classes, the numbers of enumerators. What somebody wrote to make a value
// readable plays no part.
#include "show_bodies.h"

#include "attempt.h"
#include "shown_types.h"

#include "farside/value_kinds.h"

#include "clang/AST/ExprCXX.h"
#include "clang/Sema/Lookup.h"

namespace farside {

using namespace clang;

namespace {

bool isNamed(const CXXRecordDecl &record, std::initializer_list<llvm::StringRef> names) {
  return record.getIdentifier() && llvm::is_contained(names, record.getName());
}

/// What `std::valarray`'s operators give. It computes elements as they are asked for, out of
/// operands that may be gone after the expression: to keep it is to keep nothing.
bool isComputed(const CXXRecordDecl &record) {
  return libraryClass(record) == Library::observed && isNamed(record, {"_Expr", "__val_expr"});
}

} // namespace

bool ShowBodies::isOpaque(QualType type) {
  QualType bare = type.getCanonicalType().getUnqualifiedType();
  if (bare->isFunctionType() || bare->isMemberPointerType() || bare->isAtomicType())
    return true;
  bool outer = std::exchange(Giving, true);
  Way way = wayOf(type);
  Giving = outer;
  if (way == Way::address || (way == Way::range && losesElements(type)))
    return true;
  const CXXRecordDecl *record = bare->getAsCXXRecordDecl();
  if (!record)
    return false;
  if (record->isLambda())
    return true;
  Library library = libraryClass(*record->getDefinition());
  switch (library) {
  case Library::function:
  case Library::iterator:
    return true;
  case Library::observed:
    return !isComputed(*record);
  case Library::none:
    return record->getQualifiedNameAsString() == "farside::Callable";
  case Library::smartPointer:
  case Library::weakPointer:
  case Library::optional:
  case Library::reference: {
    const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(record->getDefinition());
    if (!made || made->getTemplateArgs().size() == 0 ||
        made->getTemplateArgs()[0].getKind() != TemplateArgument::Type)
      return true;
    QualType held = made->getTemplateArgs()[0].getAsType();
    return held->isVoidType() || held->isIncompleteArrayType() || isOpaque(held);
  }
  default:
    return false;
  }
}

/// Whether some part of such a value has no form in Python.
bool ShowBodies::holdsOpaque(QualType type, unsigned depth) {
  constexpr unsigned deepest = 8;
  type = C.getBaseElementType(type.getNonReferenceType());
  if (depth > deepest)
    return false;
  if (isOpaque(type))
    return true;
  const CXXRecordDecl *record = type->getAsCXXRecordDecl();
  if (!record || !record->hasDefinition())
    return false;
  record = record->getDefinition();
  auto holds = [&](const TemplateArgument &argument) {
    return argument.getKind() == TemplateArgument::Type &&
           holdsOpaque(argument.getAsType(), depth + 1);
  };
  if (libraryClass(*record) == Library::none)
    return llvm::any_of(record->bases(),
                        [&](const CXXBaseSpecifier &base) {
                          return holdsOpaque(base.getType(), depth + 1);
                        }) ||
           llvm::any_of(record->fields(), [&](const FieldDecl *field) {
             return holdsOpaque(field->getType(), depth + 1);
           });
  const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(record);
  return made && llvm::any_of(made->getTemplateArgs().asArray(), [&](const TemplateArgument &each) {
           return each.getKind() == TemplateArgument::Pack
                      ? llvm::any_of(each.pack_elements(), holds)
                      : holds(each);
         });
}

/// Whether an iterator says that its elements stay while it goes on: that it is a forward iterator.
bool ShowBodies::isMultiPass(QualType iterator) {
  auto *record = iterator->getAsCXXRecordDecl();
  if (!record)
    return iterator->isPointerType();
  for (const char *name : {"iterator_concept", "iterator_category"}) {
    LookupResult found(S, &C.Idents.get(name), Loc, Sema::LookupMemberName);
    found.suppressDiagnostics();
    const auto *category =
        S.LookupQualifiedName(found, record) ? found.getAsSingle<TypedefNameDecl>() : nullptr;
    const CXXRecordDecl *tag =
        category ? category->getUnderlyingType()->getAsCXXRecordDecl() : nullptr;
    for (; tag && tag->hasDefinition(); tag = tag->bases_begin()->getType()->getAsCXXRecordDecl()) {
      if (isNamed(*tag, {"forward_iterator_tag", "contiguous_iterator_tag"}))
        return true;
      if (tag->getNumBases() != 1)
        break;
    }
    if (tag)
      return false;
  }
  return false;
}

/// Whether parts of a range would be given by their addresses, where there is nothing any more:
/// they are made as the iterator gets there, or are in it.
bool ShowBodies::losesElements(QualType range) {
  Expr *value = stand(range);
  Expr *first = callOfRange("begin", value);
  Expr *element =
      first ? attemptUnevaluated(S, [&] { return S.BuildUnaryOp(nullptr, Loc, UO_Deref, first); })
            : nullptr;
  if (!element || range.getCanonicalType() == element->getType().getCanonicalType())
    return false;
  return (element->isPRValue() || !isMultiPass(first->getType())) &&
         holdsOpaque(element->getType());
}

void ShowBodies::give(Expr *out, Expr *value) {
  QualType type = value->getType();
  if (isOpaque(type))
    return giveOpaque(out, value);
  switch (wayOf(type)) {
  case Way::scalar:
    return giveScalar(out, value);
  case Way::array:
  case Way::vector:
    if (giveArray(out, value))
      return;
    return fillArray(out, value);
  case Way::members:
    if (const CXXRecordDecl *record = type->getAsCXXRecordDecl();
        record && record->isInStdNamespace() && isNamed(*record, {"monostate", "nullopt_t"}))
      return run("none", {}, {out});
    return fillMembers(out, value);
  case Way::range:
  case Way::library:
    if (giveLibrary(out, value))
      return;
    break;
  case Way::thrown:
    return giveWithin(FARSIDE_VALUE_EXCEPTION, out, typeName(C, type.getUnqualifiedType()),
                      [&] { fill(out, value); });
  case Way::text:
  case Way::address:
    break;
  }
  giveOpaque(out, value);
}

/// What is between the braces of a value.
void ShowBodies::giveWithin(unsigned outer, Expr *out, llvm::StringRef text,
                            llvm::function_ref<void()> inner) {
  run("__farside_open", {out, kind(outer), literal(text)});
  inner();
  run("__farside_close", {out});
}

void ShowBodies::giveOpaque(Expr *out, Expr *value) {
  giveWithin(FARSIDE_VALUE_OPAQUE, out, typeName(C, value->getType()),
             [&] { run("__farside_address", {out, addressOf(value)}); });
}

void ShowBodies::giveScalar(Expr *out, Expr *value) {
  QualType type = value->getType().getCanonicalType();
  auto bytes = [&] {
    return size(static_cast<uint64_t>(C.getTypeSizeInChars(type).getQuantity()));
  };
  if (auto number = numberKind(C, type))
    return run("__farside_leaf", {out, kind(*number), addressOf(value), bytes()});
  if (const auto *enumeration = type->getAs<EnumType>())
    return run("__farside_enumerator", {out, kind(*scalarKind(C, type)), addressOf(value), bytes(),
                                        literal(enumeratorTable(C, *enumeration->getDecl()) + '\0'),
                                        literal(typeName(C, type.getUnqualifiedType()))});
  if (const auto *builtin = type->getAs<BuiltinType>();
      builtin && builtin->getKind() == BuiltinType::BFloat16 && S.getLangOpts().CPlusPlus)
    return run("converted", {TemplateArgument(C.FloatTy)}, {out, value, kind(FARSIDE_VALUE_FLOAT)});
  auto known = scalarKind(C, type);
  bool text = type->isPointerType() && !type->getPointeeType().isVolatileQualified() &&
              stringKind(C, type->getPointeeType());
  bool pointer = known && (*known == FARSIDE_VALUE_POINTER || *known == FARSIDE_VALUE_FUNCTION);
  if (pointer && !text)
    return giveWithin(FARSIDE_VALUE_TYPED, out, typeName(C, type.getUnqualifiedType()),
                      [&] { fillScalar(out, value); });
  fillScalar(out, value);
}

bool ShowBodies::giveArray(Expr *out, Expr *value) {
  QualType type = value->getType();
  auto [element, count] = elementsOf(type);
  auto numbers =
      element->isBooleanType() && type->isVectorType() ? std::nullopt : numbersOf(C, element);
  if (numbers)
    run("__farside_numbers", {out, kind(numbers->kind), addressOf(value), size(numbers->size),
                              size(count), literal(numbers->inner)});
  else if (isByte(element) && element->isEnumeralType())
    run("__farside_leaf", {out, kind(FARSIDE_VALUE_DATA), addressOf(value), size(count)});
  else
    return false;
  return true;
}

bool ShowBodies::giveLibrary(Expr *out, Expr *value) {
  QualType type = value->getType();
  const CXXRecordDecl &record = *type->getAsCXXRecordDecl()->getDefinition();
  auto arguments = typeArguments(type);
  switch (libraryClass(record)) {
  case Library::flat:
  case Library::list:
    return giveElements(out, value, record);
  case Library::map:
    run(isNamed(record, {"multimap", "unordered_multimap", "flat_multimap"}) ? "range" : "map",
        arguments, {out, value});
    return true;
  case Library::other:
    if (isNamed(record, {"set", "unordered_set", "flat_set"}))
      run("set", arguments, {out, value});
    else if (isNamed(record, {"valarray"}))
      return giveElements(out, value, record);
    else
      run("range", arguments, {out, value});
    return true;
  case Library::none:
    run("range", arguments, {out, value});
    return true;
  case Library::optional:
    run("held_or_none", arguments, {out, value});
    return true;
  case Library::variant:
  case Library::smartPointer:
    return giveHeld(out, value, record);
  case Library::weakPointer:
    run("locked_or_none", arguments, {out, value});
    return true;
  case Library::bitset:
    giveWithin(FARSIDE_VALUE_BITS, out, "", [&] { fillLibrary(out, value); });
    return true;
  case Library::date:
    giveWithin(FARSIDE_VALUE_DATE, out, "", [&] { fillLibrary(out, value); });
    return true;
  case Library::path:
    run("native_path", {arguments[0]}, {out, value});
    return true;
  case Library::exceptionPointer:
    giveWithin(FARSIDE_VALUE_EXCEPTION, out, "", [&] { fillLibrary(out, value); });
    return true;
  case Library::ndspan:
    return giveGrid(out, value, record);
  case Library::observed:
    return (isComputed(record) && giveComputed(out, value, record)) || fillLibrary(out, value);
  default:
    return fillLibrary(out, value);
  }
}

/// Those whose elements lie one after the other.
bool ShowBodies::giveElements(Expr *out, Expr *value, const CXXRecordDecl &record) {
  auto arguments = typeArguments(value->getType());
  const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(&record);
  if (!made || made->getTemplateArgs().size() == 0 ||
      made->getTemplateArgs()[0].getKind() != TemplateArgument::Type)
    return false;
  QualType element = made->getTemplateArgs()[0].getAsType();
  bool packed = isNamed(record, {"vector"}) && element->isBooleanType();
  bool listed = libraryClass(record) == Library::list;
  bool own = libraryClass(record) == Library::other;
  auto numbers = packed ? std::nullopt : numbersOf(C, element);
  if (numbers)
    run(own      ? "valarray_numbers"
        : listed ? "listed_numbers"
                 : "numbers",
        {arguments[0]},
        {out, value, kind(numbers->kind), size(numbers->size), literal(numbers->inner)});
  else if (isByte(element) && !own)
    run(listed ? "listed_units" : "units", {arguments[0]}, {out, value, kind(FARSIDE_VALUE_DATA)});
  else
    run("range", arguments, {out, value});
  return true;
}

/// Those of several dimensions, which only the program knows.
bool ShowBodies::giveGrid(Expr *out, Expr *value, const CXXRecordDecl &record) {
  constexpr uint64_t most = 32; // dimensions, as farside/result/numbers.py takes them
  const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(&record);
  auto numbers = made ? numbersOf(C, made->getTemplateArgs()[0].getAsType()) : std::nullopt;
  if (!numbers || !numbers->inner.empty() ||
      made->getTemplateArgs()[1].getAsIntegral().getZExtValue() > most)
    return fillLibrary(out, value);
  run("grid_numbers", {typeArguments(value->getType())[0]},
      {out, value, kind(numbers->kind), size(numbers->size)});
  return true;
}

/// Numbers that are nowhere before they are asked for.
bool ShowBodies::giveComputed(Expr *out, Expr *value, const CXXRecordDecl &record) {
  LookupResult found(S, &C.Idents.get("value_type"), Loc, Sema::LookupOrdinaryName);
  found.suppressDiagnostics();
  S.LookupQualifiedName(found, const_cast<CXXRecordDecl *>(&record));
  const auto *element = found.getAsSingle<TypedefNameDecl>();
  auto numbers = element ? numbersOf(C, element->getUnderlyingType()) : std::nullopt;
  if (!numbers)
    return false;
  run("computed_numbers",
      {typeArguments(value->getType())[0],
       TemplateArgument(element->getUnderlyingType().getCanonicalType().getUnqualifiedType())},
      {out, value, kind(numbers->kind), size(numbers->size), literal(numbers->inner)});
  return true;
}

/// Those that hold a value or none.
bool ShowBodies::giveHeld(Expr *out, Expr *value, const CXXRecordDecl &record) {
  QualType type = value->getType();
  auto arguments = typeArguments(type);
  const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(&record);
  if (!made || made->getTemplateArgs().size() == 0)
    return false;
  const TemplateArgument &first = made->getTemplateArgs()[0];
  if (libraryClass(record) == Library::variant) {
    if (first.getKind() != TemplateArgument::Pack)
      return false;
    for (uint64_t index = 0; index < first.pack_size(); ++index) {
      std::vector<TemplateArgument> with = arguments;
      with.push_back(argument(index, C.getSizeType()));
      run("held_alternative", with, {out, value});
    }
    run("none_if_valueless", {arguments[0]}, {out, value});
    return true;
  }
  Expr *pointer = attemptUnevaluated(S, [&]() -> ExprResult {
    Expr *got = callMember(value, "get");
    return got ? ExprResult(got) : ExprError();
  });
  if (!pointer || !pointer->getType()->isPointerType())
    return false;
  run("held", arguments, {out, value});
  return true;
}

} // namespace farside
