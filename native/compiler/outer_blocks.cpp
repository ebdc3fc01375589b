#include "outer_blocks.h"

#include "clang/Lex/Token.h"

namespace farside {

using namespace clang;

void OuterBlocks::begin() {
  Open.clear();
  Last = {};
  Bodies = 0;
  Declarations = 0;
  InNamespace = false;
}

/// Whether a statement may begin after the last token. At the top level it may be a declaration
/// that goes on there, as those of parameters do before the body of an old function of C, so that
/// there only openTopLevel tells.
bool OuterBlocks::beginsStatement() const {
  switch (Last.kind) {
  case tok::semi:
  case tok::l_brace:
    return !Open.empty();
  case tok::r_brace:
    return !Open.empty() && !Last.body;
  case tok::colon:
  case tok::kw_else:
  case tok::kw_do:
    return true;
  case tok::r_paren:
    switch (Last.head) {
    case tok::kw_if:
    case tok::kw_for:
    case tok::kw_while:
    case tok::kw_switch:
    case tok::kw_constexpr: // `if constexpr (…)`
      return true;
    default:
      return false;
    }
  default:
    return false;
  }
}

/// Whether a brace after the last token begins the body of a function, of a class, or anything but
/// a block.
bool OuterBlocks::opensBody() const {
  switch (Last.kind) {
  case tok::kw_try:
    return Last.body;
  case tok::kw_consteval: // `if consteval {`; of a lambda, a `)` stands before it
    return Last.head != tok::kw_if;
  case tok::l_paren: // of GNU's `({ … })`
    return false;
  case tok::r_paren:
    if (Last.head == tok::kw_catch)
      return Last.body;
    break;
  default:
    break;
  }
  return !beginsStatement();
}

void OuterBlocks::open(tok::TokenKind kind) {
  bool declarations = kind == tok::l_brace && (InNamespace || endsLinkage());
  bool body = kind == tok::l_brace && !declarations && opensBody();
  Bracket bracket{Last, body, declarations, false};
  if (kind == tok::l_square && Last.kind == tok::l_square && !Open.empty())
    Open.back().attribute = true;
  if (kind == tok::l_brace)
    InNamespace = false;
  Bodies += bracket.body ? 1 : 0;
  Declarations += declarations ? 1 : 0;
  Open.push_back(bracket);
  Last = {kind, tok::unknown, bracket.body};
}

void OuterBlocks::close(tok::TokenKind kind) {
  if (Open.empty()) { // Clang will say so
    Last = {kind, tok::unknown, true};
    return;
  }
  Bracket bracket = Open.back();
  Open.pop_back();
  Bodies -= bracket.body ? 1 : 0;
  Declarations -= bracket.declarations ? 1 : 0;
  if (bracket.attribute)
    Last = bracket.before; // what an attribute stands behind decides, as if it were not there
  else if (kind == tok::r_paren)
    Last = {kind, bracket.before.kind, bracket.before.body};
  else
    Last = {kind, tok::unknown, bracket.body};
}

void OuterBlocks::take(const Token &token) {
  tok::TokenKind kind = token.getKind();
  if (token.isOneOf(tok::kw_namespace, tok::semi))
    InNamespace = kind == tok::kw_namespace;
  switch (kind) {
  case tok::l_brace:
  case tok::l_paren:
  case tok::l_square:
    return open(kind);
  case tok::r_brace:
  case tok::r_paren:
  case tok::r_square:
    return close(kind);
  case tok::kw_try: // of a statement, or of a function whose body it is
    Last = {kind, tok::unknown, !beginsStatement()};
    return;
  case tok::kw_catch:
    Last = {kind, tok::unknown, Last.body};
    return;
  case tok::string_literal:
    Last = {kind, Last.kind, false};
    return;
  case tok::exclaim: // `if !consteval {`
    Last = {kind, Last.kind == tok::kw_if ? tok::kw_if : tok::unknown, false};
    return;
  case tok::kw_consteval:
    Last = {kind, Last.kind == tok::exclaim ? Last.head : Last.kind, false};
    return;
  default:
    Last = {kind, tok::unknown, false};
  }
}

void OuterBlocks::openTopLevel() {
  if (Last.kind == tok::kw_try)
    Last.body = false;
  if (Last.kind != tok::l_brace || Open.size() != 1 || !Open.back().body)
    return;
  Open.back().body = false;
  Last.body = false;
  --Bodies;
}

} // namespace farside
