// Clang's parser, fed a cell at a time.
#pragma once

#include "outer_blocks.h"

#include "clang/AST/DeclGroup.h"
#include "clang/Basic/SourceLocation.h"
#include "clang/Parse/Parser.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace clang {
class CompilerInstance;
class NamedDecl;
class Token;
} // namespace clang

namespace farside {

/// Keeps Clang's parser from going wrong at the beginning and the end of a cell.
class CellParser {
public:
  /// Watches the instance's preprocessor from now on, which must not have been given input yet.
  explicit CellParser(clang::CompilerInstance &instance);

  /// Makes the parser, once the instance has its Sema.
  void initialize();

  /// Has the parser go on with a file. False if there is no such file.
  bool enter(clang::FileID file, size_t size);

  /// Parses up to the end of the input that was entered last, and hands on what stands at the top
  /// level. `first` is for the first call of all. False after an error or when `handle` says so.
  bool parse(llvm::function_ref<bool(clang::DeclGroupRef)> handle, bool first = false);

  /// Whether the parser has read the whole last statement of a cell, which no `;` ends.
  bool inShown() const;

private:
  bool openStatement();
  bool isModuleDeclaration();
  bool isDeclaration();
  bool isKnown(const clang::Token &name);
  bool skipBrackets(unsigned &at, clang::tok::TokenKind open, clang::tok::TokenKind close);
  void watch(clang::Token &token);
  void rejectReturn(clang::Token &token);
  void beginScopes();
  void endScopes();
  void noteLastNames();

  clang::CompilerInstance &Instance;
  std::unique_ptr<clang::Parser> Parse;
  clang::SourceLocation CellEnd;
  OuterBlocks Blocks;
  std::vector<clang::NamedDecl *> LastNames; ///< of scopes of C that end with the cell
  int OpenBrackets = 0;
  bool Terminated = true; ///< the last token was a `;`
  bool Ended = true;
  bool Controls = false; ///< the statement that is being parsed is no expression
};

} // namespace farside
