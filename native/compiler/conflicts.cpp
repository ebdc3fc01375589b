#include "conflicts.h"

#include "declared.h"

#include "clang/AST/Decl.h"
#include "clang/AST/DeclCXX.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/Token.h"

namespace farside {

using namespace clang;

bool ConflictWatch::isUsers(SourceLocation where) const {
  return where.isValid() && Sources.isLocalSourceLocation(where) &&
         !Sources.isInSystemHeader(where) && !Sources.isWrittenInBuiltinFile(where) &&
         !Sources.isWrittenInCommandLineFile(where);
}

void ConflictWatch::InclusionDirective(SourceLocation, const Token &, llvm::StringRef, bool,
                                       CharSourceRange, OptionalFileEntryRef file, llvm::StringRef,
                                       llvm::StringRef, const Module *, bool,
                                       SrcMgr::CharacteristicKind) {
  if (file)
    Names->include(file->getName());
}

void ConflictWatch::macro(const Token &name) {
  const IdentifierInfo *identifier = name.getIdentifierInfo();
  if (identifier && isUsers(name.getLocation()) &&
      Names->isForeign(PchNames::macro, identifier->getName()))
    Found.insert(identifier->getName().str());
}

void ConflictWatch::MacroDefined(const Token &name, const MacroDirective *) {
  macro(name);
  // Headers that the user includes later were read without this definition.
  const IdentifierInfo *identifier = name.getIdentifierInfo();
  if (isUsers(name.getLocation()) && (identifier->isKeyword(Language) ||
                                      Names->isForeign(PchNames::tested, identifier->getName())))
    Found.insert(identifier->getName().str());
}
void ConflictWatch::MacroUndefined(const Token &name, const MacroDefinition &,
                                   const MacroDirective *) {
  macro(name);
}
void ConflictWatch::Ifdef(SourceLocation, const Token &name, const MacroDefinition &) {
  macro(name);
}
void ConflictWatch::Ifndef(SourceLocation, const Token &name, const MacroDefinition &) {
  macro(name);
}
void ConflictWatch::Defined(const Token &name, const MacroDefinition &, SourceRange) {
  macro(name);
}

void ConflictWatch::declared(DeclGroupRef decls) {
  forEachGlobalName(decls, [&](const NamedDecl &decl) {
    if (const auto *directive = dyn_cast<UsingDirectiveDecl>(&decl)) {
      if (directive->getNominatedNamespace()->isStdNamespace())
        usesStd();
      return;
    }
    const IdentifierInfo *identifier = decl.getIdentifier();
    if (!identifier || !isUsers(decl.getLocation()))
      return;
    llvm::StringRef name = identifier->getName();
    if (Names->isForeign(PchNames::global, name) ||
        (UsesStd && Names->isForeign(PchNames::standard, name)))
      Found.insert(name.str());
    if (!UsesStd)
      Declared.insert(name.str());
  });
}

void ConflictWatch::usesStd() {
  UsesStd = true;
  for (const std::string &name : Declared)
    if (Names->isForeign(PchNames::standard, name))
      Found.insert(name);
  Declared.clear();
}

void ConflictWatch::failed(llvm::StringRef code, llvm::ArrayRef<std::string> files) {
  std::string text = code.str();
  Lexer lexer(SourceLocation(), Language, text.data(), text.data(), text.data() + text.size());
  Token token;
  do {
    lexer.LexFromRawLexer(token);
    if (token.isNot(tok::raw_identifier))
      continue;
    llvm::StringRef word = token.getRawIdentifier();
    if (Names->isForeign(PchNames::global, word) || Names->isForeign(PchNames::macro, word) ||
        (UsesStd && Names->isForeign(PchNames::standard, word)))
      Found.insert(word.str());
  } while (token.isNot(tok::eof));
  if (Found.empty())
    for (const std::string &file : files)
      if (Names->isForeignHeader(file))
        Found.insert(file);
}

std::vector<std::string> ConflictWatch::take() {
  std::vector<std::string> taken(Found.begin(), Found.end());
  Found.clear();
  return taken;
}

} // namespace farside
