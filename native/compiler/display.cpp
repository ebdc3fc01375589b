#include "display.h"

#include "farside/value_kinds.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/Expr.h"
#include "clang/AST/ExprCXX.h"
#include "clang/AST/Stmt.h"
#include "clang/Sema/DeclSpec.h"
#include "llvm/ADT/SmallString.h"

#include <vector>

namespace farside {

using namespace clang;

namespace {

FunctionDecl *declare(ASTContext &context, const char *symbol, QualType result,
                      llvm::ArrayRef<QualType> parameters) {
  FunctionProtoType::ExtProtoInfo info;
  QualType type = context.getFunctionType(result, parameters, info);
  // Not added to the translation unit's names: only the calls built here find it.
  auto *function = FunctionDecl::Create(context, context.getTranslationUnitDecl(), {}, {},
                                        &context.Idents.get(symbol), type,
                                        context.getTrivialTypeSourceInfo(type), SC_Extern);
  std::vector<ParmVarDecl *> declared;
  for (QualType parameter : parameters)
    declared.push_back(ParmVarDecl::Create(context, function, {}, {}, nullptr, parameter,
                                           context.getTrivialTypeSourceInfo(parameter), SC_None,
                                           nullptr));
  function->setParams(declared);
  function->setImplicit();
  function->addAttr(AsmLabelAttr::CreateImplicit(context, symbol));
  function->addAttr(NoThrowAttr::CreateImplicit(context));
  return function;
}

/// Builds the statements that stand for one expression.
class Builder {
public:
  Builder(Sema &sema, TopLevelStmtDecl &owner, FunctionDecl &value)
      : S(sema), C(sema.getASTContext()), Owner(owner), Value(value), Loc(owner.getBeginLoc()) {}

  Expr *number(uint64_t value, QualType type) {
    return IntegerLiteral::Create(C, llvm::APInt(static_cast<unsigned>(C.getTypeSize(type)), value),
                                  type, Loc);
  }
  Expr *size(uint64_t value) { return number(value, C.getSizeType()); }
  Expr *kind(unsigned value) { return number(value, C.UnsignedIntTy); }

  /// A variable that outlives the full expression.
  VarDecl *variable(QualType type) {
    auto *decl = VarDecl::Create(C, &Owner, Loc, Loc, &C.Idents.get("__farside_shown"), type,
                                 C.getTrivialTypeSourceInfo(type), SC_None);
    decl->setImplicit();
    decl->setReferenced();
    decl->markUsed(C);
    Statements.push_back(new (C) DeclStmt(DeclGroupRef(decl), Loc, Loc));
    return decl;
  }

  Expr *lvalue(VarDecl *decl) {
    return DeclRefExpr::Create(C, NestedNameSpecifierLoc(), SourceLocation(), decl, false, Loc,
                               decl->getType(), VK_LValue);
  }
  Expr *load(VarDecl *decl) { return cast(CK_LValueToRValue, lvalue(decl), decl->getType()); }

  Expr *cast(CastKind kind, Expr *from, QualType to, ExprValueKind category = VK_PRValue) {
    return ImplicitCastExpr::Create(C, to, kind, from, nullptr, category, FPOptionsOverride());
  }
  Expr *addressOf(Expr *glvalue) {
    return UnaryOperator::Create(C, glvalue, UO_AddrOf, C.getPointerType(glvalue->getType()),
                                 VK_PRValue, OK_Ordinary, Loc, false, FPOptionsOverride());
  }
  Expr *assign(VarDecl *to, Expr *value) {
    bool cxx = C.getLangOpts().CPlusPlus;
    return BinaryOperator::Create(C, lvalue(to), value, BO_Assign, to->getType(),
                                  cxx ? VK_LValue : VK_PRValue, OK_Ordinary, Loc,
                                  FPOptionsOverride());
  }
  Expr *comma(Expr *first, Expr *second) {
    return BinaryOperator::Create(C, first, second, BO_Comma, second->getType(),
                                  second->getValueKind(), OK_Ordinary, Loc, FPOptionsOverride());
  }
  Expr *compare(BinaryOperatorKind operation, Expr *left, Expr *right) {
    return BinaryOperator::Create(C, left, right, operation,
                                  C.getLangOpts().CPlusPlus ? C.BoolTy : C.IntTy, VK_PRValue,
                                  OK_Ordinary, Loc, FPOptionsOverride());
  }
  Expr *choose(Expr *condition, Expr *yes, Expr *no) {
    return new (C)
        ConditionalOperator(condition, Loc, yes, Loc, no, yes->getType(), VK_PRValue, OK_Ordinary);
  }
  Expr *null(QualType pointer) { return cast(CK_NullToPointer, number(0, C.IntTy), pointer); }
  Expr *untyped(Expr *pointer) {
    return cast(CK_BitCast, pointer, C.getPointerType(C.VoidTy.withConst()));
  }
  Expr *call(FunctionDecl &function, llvm::ArrayRef<Expr *> arguments) {
    Expr *callee = DeclRefExpr::Create(C, NestedNameSpecifierLoc(), SourceLocation(), &function,
                                       false, Loc, function.getType(), VK_LValue);
    callee = cast(CK_FunctionToPointerDecay, callee, C.getPointerType(function.getType()));
    return CallExpr::Create(C, callee, arguments, function.getReturnType(), VK_PRValue, Loc,
                            FPOptionsOverride());
  }
  Expr *send(Expr *kindValue, Expr *pointer, Expr *bytes) {
    return call(Value, {kindValue, untyped(pointer), bytes});
  }

  /// `base->member()`; null where the class has no such member.
  Expr *callMember(Expr *base, const char *member) {
    CXXScopeSpec scope;
    UnqualifiedId name;
    name.setIdentifier(&C.Idents.get(member), Loc);
    ExprResult found = S.ActOnMemberAccessExpr(S.TUScope, base, Loc, tok::arrow, scope,
                                               SourceLocation(), name, nullptr);
    if (found.isInvalid())
      return nullptr;
    ExprResult called = S.ActOnCallExpr(S.TUScope, found.get(), Loc, {}, Loc);
    return called.isInvalid() ? nullptr : called.get();
  }

  /// Ends the statement with `full`, whose temporaries live to its end.
  void finish(Expr *full) {
    full = ExprWithCleanups::Create(C, full, true, {});
    Statements.push_back(full);
    Owner.setStmt(CompoundStmt::Create(C, Statements, FPOptionsOverride(), Loc, Loc));
  }

  Sema &S;
  ASTContext &C;

private:
  TopLevelStmtDecl &Owner;
  FunctionDecl &Value;
  SourceLocation Loc;
  std::vector<Stmt *> Statements;
};

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

/// The kind of a type that is shown by the bytes of its value; nothing for other types.
std::optional<unsigned> scalarKind(const ASTContext &context, QualType type) {
  type = type.getCanonicalType();
  if (const auto *builtin = dyn_cast<BuiltinType>(type))
    return builtinKind(context, *builtin);
  if (const auto *enumeration = type->getAs<EnumType>()) {
    QualType underlying = enumeration->getDecl()->getDefinitionOrSelf()->getIntegerType();
    bool isSigned = underlying.isNull() || underlying->isSignedIntegerType();
    return isSigned ? FARSIDE_VALUE_ENUM : FARSIDE_VALUE_UENUM;
  }
  if (type->isAnyPointerType() || type->isBlockPointerType())
    return FARSIDE_VALUE_POINTER;
  if (const auto *bits = type->getAs<BitIntType>(); bits && bits->getNumBits() <= 128)
    return bits->isSigned() ? FARSIDE_VALUE_INT : FARSIDE_VALUE_UINT;
  if (type->isComplexType())
    return FARSIDE_VALUE_COMPLEX;
  if (type->isMemberPointerType())
    return FARSIDE_VALUE_OBJECT;
  return std::nullopt;
}

bool isCharPointer(QualType type) {
  if (!type->isPointerType())
    return false;
  QualType pointee = type->getPointeeType().getCanonicalType();
  const auto *builtin = dyn_cast<BuiltinType>(pointee.getUnqualifiedType());
  return builtin && !pointee.isVolatileQualified() &&
         (builtin->getKind() == BuiltinType::Char_S || builtin->getKind() == BuiltinType::Char_U ||
          builtin->getKind() == BuiltinType::Char8);
}

/// "std::string" or "std::string_view" for the standard strings of char, else null.
const char *standardString(QualType type) {
  const auto *record =
      dyn_cast_or_null<ClassTemplateSpecializationDecl>(type->getAsCXXRecordDecl());
  if (!record || !record->isInStdNamespace() || !record->getIdentifier() ||
      record->getTemplateArgs().size() == 0 || type.isVolatileQualified())
    return nullptr;
  const TemplateArgument &argument = record->getTemplateArgs()[0];
  if (argument.getKind() != TemplateArgument::Type || !argument.getAsType()->isCharType())
    return nullptr;
  if (record->getName() == "basic_string")
    return "std::string";
  return record->getName() == "basic_string_view" ? "std::string_view" : nullptr;
}

std::string typeName(const ASTContext &context, QualType type) {
  PrintingPolicy policy = context.getPrintingPolicy();
  policy.SuppressUnwrittenScope = true;
  return type.getAsString(policy);
}

/// More enumerators than anybody has named by hand are not worth sending each time.
constexpr size_t MaxEnumerators = 1000;

ShownType describe(const ASTContext &context, QualType type) {
  // As Clang-Repl has it, a typedef of a number is shown as that number's own type. A class keeps
  // the name it goes by: `std::vector<int>` rather than all its default arguments.
  QualType named = type->isRecordType() ? type : type.getCanonicalType();
  ShownType shown{typeName(context, named), {}, {}};
  const auto *enumeration = type->getAs<EnumType>();
  if (!enumeration)
    return shown;
  const EnumDecl *decl = enumeration->getDecl()->getDefinitionOrSelf();
  if (!decl->getIntegerType().isNull())
    shown.underlying = typeName(context, decl->getIntegerType());
  for (const EnumConstantDecl *constant : decl->enumerators()) {
    if (shown.enumerators.size() == MaxEnumerators)
      break;
    llvm::SmallString<16> value;
    constant->getInitVal().toString(value);
    shown.enumerators.emplace_back(value.str().str(), constant->getQualifiedNameAsString());
  }
  return shown;
}

/// A pointer into the bytes of a C string: null, its length and its limit are found at run time.
void showCharPointer(Builder &b, Expr *value, FunctionDecl &length) {
  QualType type = value->getType().getUnqualifiedType();
  VarDecl *pointer = b.variable(type);
  auto isNull = [&] { return b.compare(BO_EQ, b.load(pointer), b.null(type)); };
  QualType characters = length.getParamDecl(0)->getType();
  Expr *bytes = b.call(length, {b.cast(CK_BitCast, b.load(pointer), characters),
                                b.size(FARSIDE_VALUE_STRING_LIMIT + 1)});
  Expr *kind = b.choose(isNull(), b.kind(FARSIDE_VALUE_CSTR_NULL), b.kind(FARSIDE_VALUE_CSTR));
  Expr *size = b.choose(isNull(), b.size(0), bytes);
  b.finish(b.comma(b.assign(pointer, value), b.send(kind, b.load(pointer), size)));
}

/// An array of char holds a string up to its first NUL, or up to its end.
void showCharArray(Builder &b, Expr *array, uint64_t extent, FunctionDecl &length) {
  QualType type = b.C.getPointerType(b.C.getBaseElementType(array->getType()));
  VarDecl *pointer = b.variable(type);
  Expr *decayed = b.cast(CK_ArrayToPointerDecay, array, type);
  uint64_t limit = std::min<uint64_t>(extent, FARSIDE_VALUE_STRING_LIMIT + 1);
  Expr *bytes =
      b.call(length, {b.cast(CK_BitCast, b.load(pointer), length.getParamDecl(0)->getType()),
                      b.size(limit)});
  b.finish(b.comma(b.assign(pointer, decayed),
                   b.send(b.kind(FARSIDE_VALUE_CSTR), b.load(pointer), bytes)));
}

bool showString(Builder &b, Expr *glvalue) {
  VarDecl *object = b.variable(b.C.getPointerType(glvalue->getType()));
  VarDecl *count = b.variable(b.C.getSizeType());
  Expr *data = b.callMember(b.load(object), "data");
  Expr *size = b.callMember(b.load(object), "size");
  if (!data || !size)
    return false;
  auto counted = [&] { return b.load(count); };
  Expr *tooLong = b.compare(BO_GT, counted(), b.size(FARSIDE_VALUE_STRING_LIMIT));
  Expr *bytes = b.choose(tooLong, b.size(FARSIDE_VALUE_STRING_LIMIT + 1), counted());
  Expr *send = b.send(b.kind(FARSIDE_VALUE_STRING), data, bytes);
  b.finish(b.comma(b.comma(b.assign(object, b.addressOf(glvalue)), b.assign(count, size)), send));
  return true;
}

/// Evaluates a prvalue into a variable and sends that variable's bytes, or, for kinds that send an
/// address, the address.
void showBytes(Builder &b, Expr *value, unsigned kind) {
  QualType type = value->getType().getUnqualifiedType();
  if (kind == FARSIDE_VALUE_NULLPTR) {
    QualType untyped = b.C.getPointerType(b.C.VoidTy);
    b.finish(b.comma(value, b.send(b.kind(kind), b.null(untyped), b.size(0))));
    return;
  }
  VarDecl *held = b.variable(type);
  auto size = static_cast<uint64_t>(b.C.getTypeSizeInChars(type).getQuantity());
  b.finish(b.comma(b.assign(held, value),
                   b.send(b.kind(kind), b.addressOf(b.lvalue(held)), b.size(size))));
}

void showAddress(Builder &b, Expr *pointer, unsigned kind) { showBytes(b, pointer, kind); }

/// The expression without the operand that Compiler::openStatement put before it: what begins
/// where its own right side begins.
Expr *withoutOpening(Expr *expression) {
  auto *comma = dyn_cast<BinaryOperator>(expression);
  if (!comma || comma->getOpcode() != BO_Comma)
    return expression;
  if (comma->getLHS()->getBeginLoc() == comma->getRHS()->getBeginLoc())
    return comma->getRHS();
  comma->setLHS(withoutOpening(comma->getLHS()));
  return expression;
}

/// The expression as a glvalue; what it denotes is neither copied nor moved.
Expr *materialise(Builder &b, Expr *expression) {
  if (expression->isGLValue())
    return expression;
  if (b.C.getLangOpts().CPlusPlus)
    return b.S.CreateMaterializeTemporaryExpr(expression->getType(), expression, false);
  VarDecl *held = b.variable(expression->getType().getUnqualifiedType());
  Expr *stored = b.comma(b.assign(held, expression), b.addressOf(b.lvalue(held)));
  return UnaryOperator::Create(b.C, stored, UO_Deref, held->getType(), VK_LValue, OK_Ordinary,
                               expression->getExprLoc(), false, FPOptionsOverride());
}

} // namespace

FunctionDecl &Display::valueFunction() {
  if (!ValueFunction) {
    ASTContext &c = Semantics.getASTContext();
    QualType data = c.getPointerType(c.VoidTy.withConst());
    ValueFunction =
        declare(c, "__farside_value", c.VoidTy, {c.UnsignedIntTy, data, c.getSizeType()});
  }
  return *ValueFunction;
}

FunctionDecl &Display::lengthFunction() {
  if (!LengthFunction) {
    ASTContext &c = Semantics.getASTContext();
    QualType text = c.getPointerType(c.CharTy.withConst());
    LengthFunction = declare(c, "strnlen", c.getSizeType(), {text, c.getSizeType()});
  }
  return *LengthFunction;
}

std::optional<ShownType> Display::show(TopLevelStmtDecl &statement) {
  auto *expression = dyn_cast_or_null<Expr>(statement.getStmt());
  if (expression)
    expression = withoutOpening(expression);
  if (!expression || expression->containsErrors() || expression->getType()->isVoidType())
    return std::nullopt;
  if (auto *cleanups = dyn_cast<ExprWithCleanups>(expression))
    expression = withoutOpening(cleanups->getSubExpr());
  Builder b(Semantics, statement, valueFunction());
  QualType type = expression->getType();
  ShownType name = describe(b.C, type);

  if (const auto *array = b.C.getAsConstantArrayType(type);
      array && isCharPointer(b.C.getPointerType(array->getElementType()))) {
    showCharArray(b, materialise(b, expression), array->getZExtSize(), lengthFunction());
    return name;
  }
  if (type->isFunctionType()) {
    QualType pointer = b.C.getPointerType(type);
    showAddress(b, b.cast(CK_FunctionToPointerDecay, expression, pointer), FARSIDE_VALUE_POINTER);
    return name;
  }
  if (type->isAtomicType() || scalarKind(b.C, type)) {
    ExprResult loaded = Semantics.DefaultLvalueConversion(expression);
    if (loaded.isInvalid())
      return std::nullopt;
    if (loaded.get()->isPRValue())
      if (auto kind = scalarKind(b.C, loaded.get()->getType())) {
        if (isCharPointer(loaded.get()->getType()))
          showCharPointer(b, loaded.get(), lengthFunction());
        else
          showBytes(b, loaded.get(), *kind);
        return name;
      }
    expression = loaded.get();
  }
  bool named = expression->isLValue();
  Expr *glvalue = materialise(b, expression);
  if (const char *string = standardString(type); string && showString(b, glvalue))
    return ShownType{string, {}, {}};
  showAddress(b, b.addressOf(glvalue), FARSIDE_VALUE_OBJECT);
  if (named && type->isRecordType())
    name.name += " &";
  return name;
}

} // namespace farside
