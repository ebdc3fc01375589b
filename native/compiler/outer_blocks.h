// Which tokens of a cell stand in no function, whatever blocks they stand in.
#pragma once

#include "clang/Basic/TokenKinds.h"

#include <vector>

namespace clang {
class Token;
} // namespace clang

namespace farside {

/// Tells a `return` in a block of a top-level statement from one in the body of a function.
///
/// Clang's parser does not: it drops the one that no function encloses, or crashes on it. What a
/// brace opens follows from the tokens before it. Where that is in doubt it is taken for the body
/// of a function, in which a `return` is Clang's affair.
///
/// Clang also takes statements in namespaces, which no program can have, and crashes at their end.
class OuterBlocks {
public:
  /// To be called at the beginning of a cell.
  void begin();

  /// Takes notice of a token, as the preprocessor gives it.
  void take(const clang::Token &token);

  /// To be called when the token that was taken last begins what stands at the top level.
  void openTopLevel();

  /// Whether the token that was taken last is a `return` outside all functions.
  bool isOuterReturn() const { return Last.kind == clang::tok::kw_return && Bodies == 0; }

  /// Whether the next token stands in a namespace or in `extern "C"`.
  bool inDeclarations() const { return Declarations > 0 || endsLinkage(); }

private:
  /// What stands before a token, as far as it tells what a brace means.
  struct Before {
    clang::tok::TokenKind kind = clang::tok::unknown;
    /// Of a `)`: what stands before its `(`. Of a string: what stands before it.
    clang::tok::TokenKind head = clang::tok::unknown;
    bool body = false; ///< a brace of a function's body, or what belongs to such
  };

  struct Bracket {
    Before before;
    bool body = false;         ///< of a function or class, or in doubt
    bool declarations = false; ///< of a namespace, or of `extern "C"`
    bool attribute = false;    ///< `[[`
  };

  /// `extern "C"`.
  bool endsLinkage() const {
    return Last.kind == clang::tok::string_literal && Last.head == clang::tok::kw_extern;
  }
  bool beginsStatement() const;
  bool opensBody() const;
  void open(clang::tok::TokenKind kind);
  void close(clang::tok::TokenKind kind);

  std::vector<Bracket> Open;
  Before Last;
  int Bodies = 0;           ///< of the open brackets
  int Declarations = 0;     ///< the same
  bool InNamespace = false; ///< in what stands before the brace of one
};

} // namespace farside
