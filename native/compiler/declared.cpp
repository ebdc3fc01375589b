#include "declared.h"

#include "shown_types.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Decl.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/PrettyPrinter.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/PPCallbacks.h"
#include "clang/Lex/Token.h"

namespace farside {

using namespace clang;

namespace {

const char *tagKind(const TagDecl &tag) {
  switch (tag.getTagKind()) {
  case TagTypeKind::Struct:
  case TagTypeKind::Interface:
    return "struct";
  case TagTypeKind::Class:
    return "class";
  case TagTypeKind::Union:
    return "union";
  case TagTypeKind::Enum:
    return "enum";
  }
  return "class";
}

/// The kind that the wire gives a declaration; null for what declares no name of its own.
const char *kindOf(const NamedDecl &decl) {
  if (isa<ClassTemplateDecl>(decl))
    return "class template";
  if (isa<FunctionTemplateDecl>(decl))
    return "function template";
  if (isa<VarTemplateDecl>(decl))
    return "variable template";
  if (isa<TypeAliasTemplateDecl>(decl))
    return "alias template";
  if (isa<ConceptDecl>(decl))
    return "concept";
  if (isa<ClassTemplateSpecializationDecl>(decl))
    return "specialisation";
  if (const auto *tag = dyn_cast<TagDecl>(&decl))
    return tagKind(*tag);
  if (isa<TypeAliasDecl>(decl))
    return "alias";
  if (isa<TypedefDecl>(decl))
    return "typedef";
  if (isa<FunctionDecl>(decl))
    return "function";
  if (isa<VarDecl, BindingDecl>(decl))
    return "variable";
  if (isa<EnumConstantDecl>(decl))
    return "enumerator";
  if (isa<NamespaceAliasDecl>(decl))
    return "namespace alias";
  if (isa<NamespaceDecl>(decl))
    return "namespace";
  if (isa<UsingDirectiveDecl>(decl))
    return "using directive";
  if (isa<UsingDecl, UsingEnumDecl>(decl))
    return "using";
  return nullptr;
}

/// A type without what says nothing of it: how `decltype` and `typeof` came to it, parameters of
/// templates, and the names that it has within classes, such as `value_type`.
QualType plainly(const ASTContext &context, QualType type) {
  auto saysNothing = [](const Type &sugar) {
    if (const auto *alias = dyn_cast<TypedefType>(&sugar))
      return alias->getDecl()->getDeclContext()->isRecord();
    return isa<DecltypeType, TypeOfExprType, TypeOfType, SubstTemplateTypeParmType>(sugar);
  };
  while (saysNothing(*type.getTypePtr()))
    type = type.getSingleStepDesugaredType(context);
  if (isa<LValueReferenceType>(type.getTypePtr()))
    return context.getLValueReferenceType(plainly(context, type->getPointeeType()));
  if (isa<RValueReferenceType>(type.getTypePtr()))
    return context.getRValueReferenceType(plainly(context, type->getPointeeType()));
  if (isa<PointerType>(type.getTypePtr()))
    return context.getQualifiedType(
        context.getPointerType(plainly(context, type->getPointeeType())), type.getQualifiers());
  return type;
}

std::string qualifiedName(const NamedDecl &decl, const PrintingPolicy &policy) {
  if (const auto *directive = dyn_cast<UsingDirectiveDecl>(&decl))
    return directive->getNominatedNamespaceAsWritten()->getQualifiedNameAsString();
  std::string name;
  llvm::raw_string_ostream stream(name);
  decl.printQualifiedName(stream, policy);
  return name;
}

class Lister {
public:
  Lister(llvm::json::Array &declared, const ASTContext &context, FileID file,
         llvm::function_ref<std::string(const NamedDecl &)> symbolOf)
      : Declared(declared), Context(context), Sources(context.getSourceManager()), File(file),
        SymbolOf(symbolOf), Policy(context.getPrintingPolicy()) {
    Policy.SuppressUnwrittenScope = true;
    Policy.SuppressInlineNamespace =
        llvm::to_underlying(PrintingPolicy::SuppressInlineNamespaceMode::All);
  }

  void visit(const Decl &decl) {
    if (decl.isImplicit() || !isWrittenHere(decl))
      return;
    if (const auto *named = dyn_cast<NamedDecl>(&decl))
      add(*named);
    if (const auto *decomposition = dyn_cast<DecompositionDecl>(&decl))
      for (const BindingDecl *binding : decomposition->bindings())
        add(*binding);
    if (const auto *enumeration = dyn_cast<EnumDecl>(&decl);
        enumeration && !enumeration->isScoped())
      for (const EnumConstantDecl *constant : enumeration->enumerators())
        add(*constant);
    if (isa<NamespaceDecl, LinkageSpecDecl, ExportDecl>(decl))
      for (const Decl *inner : cast<DeclContext>(decl).decls())
        visit(*inner);
  }

private:
  bool isWrittenHere(const Decl &decl) const {
    return Sources.getFileID(Sources.getExpansionLoc(decl.getLocation())) == File;
  }

  void add(const NamedDecl &decl) {
    const char *kind = kindOf(decl);
    bool nameless = !decl.getDeclName() && !isa<UsingDirectiveDecl>(decl);
    if (!kind || nameless || decl.isInvalidDecl() ||
        !decl.getDeclContext()->getRedeclContext()->isFileContext() || isInstantiation(decl))
      return;
    llvm::json::Object entry{{"name", qualifiedName(decl, Policy)},
                             {"kind", kind},
                             {"line", Sources.getExpansionLineNumber(decl.getLocation())}};
    const Decl *pattern = &decl;
    if (const auto *function = dyn_cast<FunctionTemplateDecl>(&decl))
      pattern = function->getTemplatedDecl();
    if (const auto *value = dyn_cast<ValueDecl>(pattern);
        value && isa<FunctionDecl, VarDecl>(value)) {
      entry["type"] = value->getType().getAsString(Policy);
      entry["symbol"] = pattern == &decl ? SymbolOf(decl) : "";
      entry["definition"] = isDefinition(*value);
      const auto *function = dyn_cast<FunctionDecl>(value);
      if (!value->isExternallyVisible() || (function && function->isInlined()))
        entry["external"] = false;
    }
    if (const auto *binding = dyn_cast<BindingDecl>(&decl); binding && !binding->getType().isNull())
      entry["type"] = typeName(Context, binding->getType().getCanonicalType());
    if (const auto *alias = dyn_cast<TypedefNameDecl>(&decl)) {
      QualType type = plainly(Context, alias->getUnderlyingType());
      entry["type"] = typeName(Context, type);
      entry["canonical"] = typeName(Context, type.getCanonicalType());
    }
    Declared.push_back(std::move(entry));
  }

  /// Clang hands implicit instantiations over like declarations.
  static bool isInstantiation(const NamedDecl &decl) {
    if (const auto *function = dyn_cast<FunctionDecl>(&decl))
      return function->getTemplateSpecializationKind() == TSK_ImplicitInstantiation;
    if (const auto *variable = dyn_cast<VarDecl>(&decl))
      return variable->getTemplateSpecializationKind() == TSK_ImplicitInstantiation;
    return false;
  }

  static bool isDefinition(const ValueDecl &value) {
    if (const auto *function = dyn_cast<FunctionDecl>(&value))
      return function->isThisDeclarationADefinition();
    return cast<VarDecl>(value).isThisDeclarationADefinition() != VarDecl::DeclarationOnly;
  }

  llvm::json::Array &Declared;
  const ASTContext &Context;
  const SourceManager &Sources;
  FileID File;
  llvm::function_ref<std::string(const NamedDecl &)> SymbolOf;
  PrintingPolicy Policy;
};

void visitGlobals(const Decl &decl, llvm::function_ref<void(const NamedDecl &)> visit) {
  if (isa<LinkageSpecDecl, ExportDecl>(decl)) {
    for (const Decl *inner : cast<DeclContext>(decl).decls())
      visitGlobals(*inner, visit);
    return;
  }
  if (const auto *enumeration = dyn_cast<EnumDecl>(&decl); enumeration && !enumeration->isScoped())
    for (const EnumConstantDecl *constant : enumeration->enumerators())
      visit(*constant);
  if (const auto *decomposition = dyn_cast<DecompositionDecl>(&decl))
    for (const BindingDecl *binding : decomposition->bindings())
      visit(*binding);
  const auto *named = dyn_cast<NamedDecl>(&decl);
  if (named && named->getDeclName() &&
      named->getDeclContext()->getRedeclContext()->isTranslationUnit())
    visit(*named);
}

/// Macros that a cell defines are names it declares.
class MacroList : public PPCallbacks {
public:
  MacroList(llvm::json::Array &declared, const SourceManager &sources, const FileID &file)
      : Declared(declared), Sources(sources), File(file) {}

  void MacroDefined(const Token &name, const MacroDirective *) override {
    if (File.isInvalid() || Sources.getFileID(name.getLocation()) != File)
      return;
    Declared.push_back(
        llvm::json::Object{{"name", name.getIdentifierInfo()->getName().str()},
                           {"kind", "macro"},
                           {"line", Sources.getSpellingLineNumber(name.getLocation())}});
  }

private:
  llvm::json::Array &Declared;
  const SourceManager &Sources;
  const FileID &File;
};

} // namespace

void appendDeclared(llvm::json::Array &declared, const ASTContext &context, DeclGroupRef decls,
                    FileID file, llvm::function_ref<std::string(const NamedDecl &)> symbolOf) {
  Lister lister(declared, context, file, symbolOf);
  for (const Decl *decl : decls)
    lister.visit(*decl);
}

std::unique_ptr<PPCallbacks> listMacros(llvm::json::Array &declared, const SourceManager &sources,
                                        const FileID &file) {
  return std::make_unique<MacroList>(declared, sources, file);
}

void forEachGlobalName(DeclGroupRef decls, llvm::function_ref<void(const NamedDecl &)> visit) {
  for (const Decl *decl : decls)
    visitGlobals(*decl, visit);
}

} // namespace farside
