#include "shown_types.h"

#include "farside/value_kinds.h"

#include "clang/AST/Attr.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/RecordLayout.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSwitch.h"

namespace farside {

using namespace clang;

namespace {

/// More enumerators than anybody has named by hand are not worth carrying along.
constexpr size_t MaxEnumerators = 1000;

/// Of a _BitInt that is shown as a number, as farside/value_kinds.h has it.
constexpr unsigned MaxBits = 8192;

std::optional<unsigned> builtinKind(const ASTContext &context, const BuiltinType &type) {
  if (type.isNullPtrType())
    return FARSIDE_VALUE_NULLPTR;
  switch (type.getKind()) {
  case BuiltinType::Bool:
    return FARSIDE_VALUE_BOOL;
  case BuiltinType::Char_S:
  case BuiltinType::Char_U:
  case BuiltinType::SChar:
  case BuiltinType::UChar:
    return FARSIDE_VALUE_CHAR;
  case BuiltinType::Char8:
    return FARSIDE_VALUE_CHAR8;
  case BuiltinType::Char16:
    return FARSIDE_VALUE_CHAR16;
  case BuiltinType::Char32:
    return FARSIDE_VALUE_CHAR32;
  case BuiltinType::WChar_S:
  case BuiltinType::WChar_U:
    return FARSIDE_VALUE_WCHAR;
  case BuiltinType::Float16:
  case BuiltinType::Half:
  case BuiltinType::BFloat16:
  case BuiltinType::Float:
  case BuiltinType::Float128:
    return FARSIDE_VALUE_FLOAT;
  case BuiltinType::Double:
    return FARSIDE_VALUE_DOUBLE;
  case BuiltinType::LongDouble:
    return &context.getFloatTypeSemantics(context.LongDoubleTy) == &llvm::APFloat::IEEEdouble()
               ? FARSIDE_VALUE_DOUBLE
               : FARSIDE_VALUE_LDOUBLE;
  default:
    break;
  }
  if (type.isSignedInteger())
    return FARSIDE_VALUE_INT;
  if (type.isUnsignedInteger())
    return FARSIDE_VALUE_UINT;
  return std::nullopt;
}

void replaceAll(std::string &text, llvm::StringRef from, llvm::StringRef to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

} // namespace

std::optional<unsigned> scalarKind(const ASTContext &context, QualType type) {
  type = type.getCanonicalType();
  if (const auto *builtin = dyn_cast<BuiltinType>(type))
    return builtinKind(context, *builtin);
  if (const auto *enumeration = type->getAs<EnumType>()) {
    QualType underlying = enumeration->getDecl()->getDefinitionOrSelf()->getIntegerType();
    bool isSigned = underlying.isNull() || underlying->isSignedIntegerType();
    return isSigned ? FARSIDE_VALUE_ENUM : FARSIDE_VALUE_UENUM;
  }
  if (type->isFunctionPointerType())
    return FARSIDE_VALUE_FUNCTION;
  if (type->isAnyPointerType() || type->isBlockPointerType())
    return FARSIDE_VALUE_POINTER;
  if (const auto *bits = type->getAs<BitIntType>(); bits && bits->getNumBits() <= MaxBits)
    return bits->isSigned() ? FARSIDE_VALUE_INT : FARSIDE_VALUE_UINT;
  if (type->isComplexType())
    return FARSIDE_VALUE_COMPLEX;
  return std::nullopt;
}

std::optional<unsigned> stringKind(const ASTContext &context, QualType unit) {
  const auto *builtin = dyn_cast<BuiltinType>(unit.getCanonicalType().getUnqualifiedType());
  if (!builtin)
    return std::nullopt;
  switch (builtin->getKind()) {
  case BuiltinType::Char_S:
  case BuiltinType::Char_U:
    return FARSIDE_VALUE_STRING;
  case BuiltinType::Char8:
    return FARSIDE_VALUE_STRING8;
  case BuiltinType::Char16:
    return FARSIDE_VALUE_STRING16;
  case BuiltinType::Char32:
    return FARSIDE_VALUE_STRING32;
  case BuiltinType::WChar_S:
  case BuiltinType::WChar_U:
    if (context.getTypeSize(unit) == 32)
      return FARSIDE_VALUE_WSTRING;
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

std::optional<unsigned> numberKind(const ASTContext &context, QualType type) {
  type = type.getCanonicalType().getUnqualifiedType();
  if (type->isEnumeralType())
    return isByte(type) ? std::optional<unsigned>(FARSIDE_VALUE_UINT) : std::nullopt;
  if (const auto *builtin = dyn_cast<BuiltinType>(type))
    switch (builtin->getKind()) {
    case BuiltinType::SChar:
      return FARSIDE_VALUE_INT;
    case BuiltinType::UChar:
      return FARSIDE_VALUE_UINT;
    case BuiltinType::BFloat16: // looks like a half
      return std::nullopt;
    default:
      break;
    }
  if (const CXXRecordDecl *record = type->getAsCXXRecordDecl();
      record && record->hasDefinition() && libraryClass(*record) == Library::complex)
    return FARSIDE_VALUE_COMPLEX;
  std::optional<unsigned> kind = scalarKind(context, type);
  static constexpr unsigned kinds[] = {
      FARSIDE_VALUE_BOOL,   FARSIDE_VALUE_INT,     FARSIDE_VALUE_UINT,   FARSIDE_VALUE_FLOAT,
      FARSIDE_VALUE_DOUBLE, FARSIDE_VALUE_LDOUBLE, FARSIDE_VALUE_COMPLEX};
  return kind && llvm::is_contained(kinds, *kind) ? kind : std::nullopt;
}

std::optional<Numbers> numbersOf(const ASTContext &context, QualType element) {
  Numbers found{0, 0, ""};
  auto add = [&](uint64_t dimension) {
    found.inner += (found.inner.empty() ? "" : ",") + std::to_string(dimension);
  };
  while (!element.isVolatileQualified()) {
    if (auto kind = numberKind(context, element)) {
      found.kind = *kind;
      found.size = static_cast<uint64_t>(context.getTypeSizeInChars(element).getQuantity());
      // What has no machine type of that size is not for arrays of numbers.
      bool wide =
          found.size > 8 && *kind != FARSIDE_VALUE_LDOUBLE && *kind != FARSIDE_VALUE_COMPLEX;
      if (wide || isByte(element) || found.size > 16)
        return std::nullopt;
      return found;
    }
    if (const auto *array = context.getAsConstantArrayType(element)) {
      add(array->getZExtSize());
      element = array->getElementType();
      continue;
    }
    const auto *made =
        dyn_cast_or_null<ClassTemplateSpecializationDecl>(element->getAsCXXRecordDecl());
    if (!made || !made->hasDefinition() || libraryClass(*made) != Library::flat ||
        made->getName() != "array")
      return std::nullopt;
    uint64_t count = made->getTemplateArgs()[1].getAsIntegral().getZExtValue();
    QualType inner = made->getTemplateArgs()[0].getAsType();
    if (inner->isIncompleteType() || inner->isDependentType() ||
        context.getTypeSize(element) != context.getTypeSize(inner) * count)
      return std::nullopt;
    add(count);
    element = inner;
  }
  return std::nullopt;
}

bool isByte(QualType element) {
  QualType type = element.getCanonicalType().getUnqualifiedType();
  if (const auto *builtin = dyn_cast<BuiltinType>(type))
    return builtin->getKind() == BuiltinType::Char_S || builtin->getKind() == BuiltinType::Char_U;
  const auto *enumeration = type->getAs<EnumType>();
  const EnumDecl *decl = enumeration ? enumeration->getDecl() : nullptr;
  return decl && decl->isInStdNamespace() && decl->getIdentifier() && decl->getName() == "byte";
}

namespace {

/// A name that its author made up is told; one that only a library's insides have is not.
const TypedefNameDecl *toldAlias(QualType type) {
  const TypedefNameDecl *decl = nullptr;
  if (const auto *alias = dyn_cast<TypedefType>(type.getTypePtr()))
    decl = alias->getDecl();
  if (!decl || !decl->getIdentifier() || decl->isTemplated() ||
      decl->getDeclContext()->isFunctionOrMethod())
    return nullptr;
  for (const DeclContext *scope = decl->getDeclContext(); scope; scope = scope->getParent())
    if (const auto *named = dyn_cast<NamedDecl>(scope); named && !scope->isInlineNamespace() &&
                                                        named->getIdentifier() &&
                                                        named->getName().starts_with("_"))
      return nullptr;
  // `type` is what traits call their results.
  return decl->getName().starts_with("_") || decl->getName() == "type" ? nullptr : decl;
}

} // namespace

std::string typeName(const ASTContext &context, QualType type) {
  PrintingPolicy policy = context.getPrintingPolicy();
  policy.SuppressUnwrittenScope = true;
  policy.SuppressDefaultTemplateArgs = true;
  policy.SuppressTagKeyword = context.getLangOpts().CPlusPlus;
  std::string name;
  if (type->isRecordType() && context.getLangOpts().CPlusPlus) {
    QualType sugar = type;
    while (!toldAlias(sugar) && sugar != sugar.getSingleStepDesugaredType(context))
      sugar = sugar.getSingleStepDesugaredType(context);
    if (const TypedefNameDecl *alias = toldAlias(sugar)) {
      llvm::raw_string_ostream out(name);
      std::string qualifiers = type.getQualifiers().getAsString(policy);
      out << qualifiers << (qualifiers.empty() ? "" : " ");
      alias->printQualifiedName(out, policy);
    }
  }
  if (name.empty())
    name = (type->isRecordType() ? type.getCanonicalType() : type).getAsString(policy);
  constexpr std::pair<const char *, const char *> written[] = {
      {"basic_string<char>", "string"},
      {"basic_string<wchar_t>", "wstring"},
      {"basic_string<char8_t>", "u8string"},
      {"basic_string<char16_t>", "u16string"},
      {"basic_string<char32_t>", "u32string"},
      {"basic_string_view<char>", "string_view"},
      {"basic_string_view<wchar_t>", "wstring_view"},
      {"basic_string_view<char8_t>", "u8string_view"},
      {"basic_string_view<char16_t>", "u16string_view"},
      {"basic_string_view<char32_t>", "u32string_view"},
      {"std::__exception_ptr::exception_ptr", "std::exception_ptr"},
      {"basic_ostream<char>", "ostream"},
      {"basic_istream<char>", "istream"},
  };
  for (auto [from, to] : written)
    replaceAll(name, from, to);
  if (name.find("std::extents<") != std::string::npos)
    replaceAll(name, "18446744073709551615", "std::dynamic_extent");
  return name;
}

Library libraryClass(const CXXRecordDecl &record) {
  const DeclContext *scope = record.getDeclContext();
  bool standard = false;
  for (; scope && !scope->isTranslationUnit(); scope = scope->getParent())
    if (const auto *space = dyn_cast<NamespaceDecl>(scope))
      standard = space->isStdNamespace() || standard;
  llvm::StringRef name = record.getIdentifier() ? record.getName() : "";
  if (!standard) {
    if (record.getQualifiedNameAsString() == "farside::ndspan")
      return Library::ndspan;
    return name == "__normal_iterator" ? Library::iterator : Library::none;
  }
  if (const auto *outer = dyn_cast<CXXRecordDecl>(record.getDeclContext());
      outer && name == "reference" && outer->getIdentifier() && outer->getName() == "bitset")
    return Library::bitReference;
  return llvm::StringSwitch<Library>(name)
      .Cases({"basic_string", "basic_string_view"}, Library::string)
      .Cases({"vector", "array", "span", "inplace_vector"}, Library::flat)
      .Case("initializer_list", Library::list)
      .Cases(
          {"map", "multimap", "unordered_map", "unordered_multimap", "flat_map", "flat_multimap"},
          Library::map)
      .Case("pair", Library::pair)
      .Case("tuple", Library::tuple)
      .Case("optional", Library::optional)
      .Case("variant", Library::variant)
      .Case("expected", Library::expected)
      .Case("any", Library::any)
      .Case("function", Library::function)
      .Cases({"unique_ptr", "shared_ptr"}, Library::smartPointer)
      .Case("weak_ptr", Library::weakPointer)
      .Case("reference_wrapper", Library::reference)
      .Case("complex", Library::complex)
      .Case("bitset", Library::bitset)
      .Cases({"_Bit_reference", "__bit_reference", "__bit_const_reference"}, Library::bitReference)
      .Case("sub_match", Library::subMatch)
      .Case("duration", Library::duration)
      .Case("time_point", Library::timePoint)
      .Case("year_month_day", Library::date)
      .Cases({"year", "month", "day", "fpos"}, Library::number)
      .Case("weekday", Library::weekday)
      .Case("path", Library::path)
      .Cases({"atomic", "atomic_ref", "__atomic_base"}, Library::atomic)
      .Case("atomic_flag", Library::atomicFlag)
      .Case("exception_ptr", Library::exceptionPointer)
      .Cases({"stack", "queue", "priority_queue"}, Library::adaptor)
      .Cases({"__normal_iterator", "__wrap_iter"}, Library::iterator)
      // Those whose first word points to a node, or to the element.
      .Cases({"_Rb_tree_iterator", "_Rb_tree_const_iterator", "_List_iterator",
              "_List_const_iterator", "_Fwd_list_iterator", "_Fwd_list_const_iterator",
              "_Node_iterator", "_Node_const_iterator", "_Deque_iterator"},
             Library::iterator)
      .Cases({"__tree_iterator", "__tree_const_iterator", "__map_iterator", "__map_const_iterator",
              "__list_iterator", "__list_const_iterator", "__forward_list_iterator",
              "__forward_list_const_iterator", "__hash_iterator", "__hash_const_iterator",
              "__hash_map_iterator", "__hash_map_const_iterator"},
             Library::iterator)
      .Default(isObserved(name) ? Library::observed : Library::other);
}

std::string durationUnit(const CXXRecordDecl &duration) {
  const auto *made = dyn_cast<ClassTemplateSpecializationDecl>(&duration);
  if (!made || made->getTemplateArgs().size() < 2 ||
      made->getTemplateArgs()[1].getKind() != TemplateArgument::Type)
    return "";
  const auto *period = dyn_cast_or_null<ClassTemplateSpecializationDecl>(
      made->getTemplateArgs()[1].getAsType()->getAsCXXRecordDecl());
  if (!period || period->getTemplateArgs().size() != 2)
    return "";
  for (const TemplateArgument &part : period->getTemplateArgs().asArray())
    if (part.getKind() != TemplateArgument::Integral)
      return "";
  llvm::SmallString<32> ratio;
  period->getTemplateArgs()[0].getAsIntegral().toString(ratio);
  ratio += '/';
  period->getTemplateArgs()[1].getAsIntegral().toString(ratio);
  llvm::StringRef whole = llvm::StringRef(ratio).ends_with("/1")
                              ? llvm::StringRef(ratio).drop_back(2)
                              : llvm::StringRef(ratio);
  return llvm::StringSwitch<std::string>(whole)
      .Case("1/1000000000", "ns")
      .Case("1/1000000", "µs")
      .Case("1/1000", "ms")
      .Case("1", "s")
      .Case("60", "min")
      .Case("3600", "h")
      .Case("86400", "d")
      .Default("[" + whole.str() + "]s");
}

std::string enumeratorTable(const ASTContext &context, const EnumDecl &enumeration) {
  const EnumDecl *decl = enumeration.getDefinitionOrSelf();
  std::string table =
      decl->getIntegerType().isNull() ? "" : typeName(context, decl->getIntegerType());
  table += '\0';
  size_t count = 0;
  for (const EnumConstantDecl *constant : decl->enumerators()) {
    if (count++ == MaxEnumerators)
      break;
    llvm::SmallString<16> value;
    constant->getInitVal().toString(value);
    table += value.str();
    table += '\0';
    table += constant->getQualifiedNameAsString();
    table += '\0';
  }
  return table;
}

std::string memberTable(const ASTContext &context, const CXXRecordDecl &record) {
  std::string table;
  const CXXRecordDecl *decl = record.getDefinition();
  if (!decl || decl->isDependentType() || decl->isInvalidDecl())
    return table;
  const ASTRecordLayout &layout = context.getASTRecordLayout(decl);
  for (const FieldDecl *field : decl->fields()) {
    if (field->isBitField() || !field->getIdentifier())
      continue;
    table += std::to_string(layout.getFieldOffset(field->getFieldIndex()) / 8);
    table += '\0';
    table += field->getQualifiedNameAsString();
    table += '\0';
  }
  return table;
}

} // namespace farside
