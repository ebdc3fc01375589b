#include "clashes.h"

#include "defined_outside.h"
#include "diagnostics.h"
#include "hiding.h"
#include "redeclared.h"
#include "specialisations.h"
#include "written_alike.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Sema.h"

#include <algorithm>
#include <utility>

namespace farside {

using namespace clang;

namespace {

/// Whether a definition of the same function can follow when this one's body is gone. A return type
/// that was deduced would stay. A template whose name is qualified there needs a declaration in its
/// scope.
bool canLoseBody(const NamedDecl &decl, bool qualified) {
  if (isa<FunctionTemplateDecl>(decl) && canBeHidden(decl) && !qualified)
    return false;
  const FunctionDecl *function = decl.getAsFunction();
  return function && function->doesThisDeclarationHaveABody() && !hasDeducedResult(*function);
}

/// Whether the default arguments of a function can be given again. What is made of a template has
/// those of the template.
bool canLoseArguments(const NamedDecl &decl) {
  const auto *function = dyn_cast<FunctionDecl>(&decl);
  return function && !isDeclaredElsewhere(*function) && !hasDeducedResult(*function);
}

} // namespace

void Clashes::begin(Sema &sema) {
  Names = &sema;
  All.clear();
  Candidates.clear();
  Specialisation = {};
  ReplacedMacros.clear();
}

/// The declaration at a place, or the one whose parameters are there.
std::optional<DeclarationId> Clashes::find(SourceLocation earlier,
                                           const SourceManager &sources) const {
  if (auto id = Declared.at(earlier))
    return id;
  return Declared.firstEarlier([&](const NamedDecl &decl) {
    if (isExplicitInstantiation(decl) && instantiatedAt(decl) == earlier)
      return true;
    const auto *function = decl.getAsFunction();
    if (!function && !isa<TemplateDecl>(decl))
      return false;
    SourceLocation end = function ? function->getTypeSpecEndLoc() : decl.getLocation();
    if (function && function->getNumParams() != 0)
      end = function->getParamDecl(function->getNumParams() - 1)->getEndLoc();
    return sources.getFileID(decl.getBeginLoc()) == sources.getFileID(earlier) &&
           !sources.isBeforeInTranslationUnit(earlier, decl.getBeginLoc()) &&
           !sources.isBeforeInTranslationUnit(end, earlier);
  });
}

static bool isKeywordBeforeName(llvm::StringRef word) {
  static constexpr llvm::StringRef keywords[] = {"using", "struct", "class", "union", "enum"};
  return llvm::is_contained(keywords, word);
}

/// The name at a place of the program's text, or after the keyword there.
static std::string nameAt(SourceLocation at, const SourceManager &sources,
                          const LangOptions &language) {
  llvm::SmallString<32> buffer;
  std::string name =
      Lexer::getSpelling(sources.getSpellingLoc(at), buffer, sources, language).str();
  while (isKeywordBeforeName(name)) {
    auto next = Lexer::findNextToken(at, sources, language);
    if (!next || next->isNot(tok::raw_identifier))
      break;
    name = next->getRawIdentifier().str();
    at = next->getLocation();
  }
  return name;
}

/// Whether the name at a place of the program's text, or after the keyword there, is qualified, as
/// in `int n::x;`.
static bool isQualified(SourceLocation at, const SourceManager &sources,
                        const LangOptions &language) {
  at = sources.getSpellingLoc(at);
  auto before = Lexer::findPreviousToken(at, sources, language, /*IncludeComments=*/false);
  if (before && before->is(tok::coloncolon))
    return true;
  auto isKeyword = [](const Token &token) {
    return token.is(tok::raw_identifier) && isKeywordBeforeName(token.getRawIdentifier());
  };
  Token first;
  if (Lexer::getRawToken(at, first, sources, language, /*IgnoreWhiteSpace=*/true))
    return false;
  std::optional<Token> token = first;
  while (token && isKeyword(*token))
    token = Lexer::findNextToken(token->getLocation(), sources, language);
  if (token && token->is(tok::raw_identifier))
    token = Lexer::findNextToken(token->getLocation(), sources, language);
  return token && token->is(tok::coloncolon);
}

std::optional<DeclarationId> Clashes::findAtOffsetOf(SourceLocation at,
                                                     const SourceManager &sources) const {
  unsigned offset = sources.getFileOffset(sources.getFileLoc(at));
  std::string name = nameAt(at, sources, Names->getLangOpts());
  auto next = Lexer::findNextToken(at, sources, Names->getLangOpts());
  bool special = next && next->is(tok::less);
  auto isAt = [&](SourceLocation place) {
    return sources.getFileOffset(sources.getFileLoc(place)) == offset;
  };
  return Declared.latestEarlier([&](NamedDecl &decl) {
    bool same = decl.getDeclName().isIdentifier() ? decl.getName() == name : name == "operator";
    // What was made of a template lies where that does.
    return !isInstance(decl) && (isAt(decl.getLocation()) || isAt(placeOf(decl))) && same &&
           special == isa<ClassTemplateSpecializationDecl, VarTemplateSpecializationDecl>(decl) &&
           (special || !visible(*Names, found(decl)).empty());
  });
}

std::optional<DeclarationId> Clashes::findAlias(const NamespaceDecl &space,
                                                llvm::StringRef name) const {
  return Declared.latestEarlier([&](const NamedDecl &each) {
    const auto *alias = dyn_cast<NamespaceAliasDecl>(&each);
    return alias && alias->getName() == name &&
           alias->getNamespace()->getCanonicalDecl() == space.getCanonicalDecl();
  });
}

/// The names that using declarations have brought to where the new declaration is; `decl` is what
/// Clang points at, if an earlier cell has declared it.
bool Clashes::noteUsing(const NamedDecl *decl, llvm::StringRef name) {
  const DeclContext *here = Names->CurContext->getRedeclContext();
  if (decl && !isa<BaseUsingDecl>(decl) && decl->getDeclContext()->getRedeclContext()->Equals(here))
    return false;
  std::vector<DeclarationId> brought = Declared.allEarlier([&](const NamedDecl &each) {
    return isa<UsingShadowDecl>(each) && each.getDeclName().isIdentifier() &&
           each.getName() == name && each.getDeclContext()->getRedeclContext()->Equals(here);
  });
  All.insert(brought.begin(), brought.end());
  return !brought.empty();
}

static bool isAboutLinkage(unsigned error) {
  return error == diag::err_non_static_static || error == diag::err_static_non_static;
}

/// An earlier cell's declaration of the same entity; the given one itself if there is none.
std::optional<DeclarationId> Clashes::earlierThan(const NamedDecl &decl) const {
  std::optional<DeclarationId> found;
  for (const Decl *each : decl.redecls())
    if (auto id = Declared.at(each->getLocation()))
      found = found ? std::min(*found, *id) : id;
  return found;
}

/// Whether a function can be defined again as a constexpr one, or as one no more. What is
/// `consteval` cannot be anything else.
bool Clashes::canChangeConstant(const NamedDecl &decl) const {
  const auto *function = dyn_cast<FunctionDecl>(&decl);
  return function && !function->isConsteval() && function->isExternallyVisible() &&
         !Hidden.isShown(*function) && !isDeclaredElsewhere(*function) &&
         !hasDeducedResult(*function) && !Hidden.isHiddenNow(decl);
}

void Clashes::note(unsigned error, SourceLocation at, SourceLocation earlier,
                   const SourceManager &sources) {
  if (isAmbiguousCall(error))
    return noteCandidate(at, earlier);
  if (error == diag::err_specialization_after_instantiation)
    return noteVariables(at, earlier);
  if (error == diag::err_explicit_instantiation_duplicate)
    return noteInstantiation(earlier);
  if (at == Specialisation) // where Clang goes on with what comes of that
    return;
  std::optional<DeclarationId> id =
      earlier.isValid() ? find(earlier, sources) : findAtOffsetOf(at, sources);
  // The cell's own has the linkage of an earlier one.
  if (id && id->cell == Declared.cell() && isAboutLinkage(error))
    id = earlierThan(Declared[*id]);
  if (id && id->cell == Declared.cell())
    return;
  // What a using declaration itself names is not the name in question.
  bool atEarlier = error == diag::err_using_decl_conflict && earlier.isValid();
  std::string name = nameAt(atEarlier ? earlier : at, sources, Names->getLangOpts());
  if (!id) {
    noteUsing(nullptr, name);
    return;
  }
  // What a header brings is not the user's to define again, nor does a header take the user's names
  // away. Only a file that is included again defines its own names again.
  SourceLocation place = Declared[*id].getLocation();
  llvm::StringRef file = sources.getFilename(sources.getFileLoc(at));
  if (sources.isInSystemHeader(place) ||
      (!file.empty() && file != sources.getFilename(sources.getFileLoc(place))))
    return;
  if (noteUsing(&Declared[*id], name))
    return;
  if (const auto *space = dyn_cast<NamespaceDecl>(&Declared[*id]);
      space && space->getName() != name)
    id = findAlias(*space, name).value_or(*id); // Clang points at what the alias stands for
  const NamedDecl &decl = Declared[*id];
  if (isa<NamespaceDecl>(decl) && decl.getName() != name)
    return;
  // What a using declaration names is elsewhere.
  bool qualified = error != diag::err_using_decl_conflict &&
                   error != diag::err_using_decl_conflict_reverse &&
                   isQualified(at, sources, Names->getLangOpts());
  if ((error == diag::err_redefinition || error == diag::err_inline_decl_follows_def) &&
      canLoseBody(decl, qualified))
    id->part = DeclarationId::body;
  if (error == diag::err_constexpr_redecl_mismatch && canChangeConstant(decl))
    id->part = DeclarationId::constant;
  if (error == diag::err_param_default_argument_redefinition && canLoseArguments(decl))
    id->part = DeclarationId::arguments;
  if (id->part == DeclarationId::whole && qualified && canBeDeclaredAnew(decl))
    id->part = DeclarationId::outside;
  if (id->part != DeclarationId::whole || canBeHidden(decl))
    All.insert(*id);
}

/// Of the functions that a call may mean, those stand aside that take what was a type of this name.
/// Until such a call they stay, for the old objects; templates with another result may be
/// overloads.
void Clashes::noteCandidate(SourceLocation call, SourceLocation candidate) {
  auto id = Declared.at(candidate);
  if (!id)
    return;
  if (std::exchange(Call, call) != call)
    Candidates.clear();
  for (const DeclarationId &other : Candidates) {
    const DeclarationId &older = std::min(other, *id);
    if (older.cell != Declared.cell() && canBeHidden(Declared[older]) &&
        areWrittenAlike(*Names, Declared[other], Declared[*id]))
      All.insert(older);
  }
  Candidates.push_back(*id);
}

/// All that was instantiated where a cell asked for it: a class, and its members.
void Clashes::noteInstantiation(SourceLocation earlier) {
  auto isRequested = [&](const NamedDecl &each) {
    return isExplicitInstantiation(each) && instantiatedAt(each) == earlier;
  };
  for (const DeclarationId &id : Declared.allEarlier(isRequested))
    All.insert(id);
}

void Clashes::noteInstance(const NamedDecl &made, SourceLocation at) {
  Specialisation = at;
  if (isa<VarDecl>(made) && !isa<VarTemplateSpecializationDecl>(made))
    return; // a static data member, of which Clang would keep the definition
  if (auto id = Declared.idOf(made))
    All.insert({id->cell, id->index, DeclarationId::instance});
}

/// What was made of a variable template at a place of the program's text. Of which it is Clang says
/// the template's name alone.
void Clashes::noteVariables(SourceLocation at, SourceLocation made) {
  std::string name = nameAt(at, Names->getSourceManager(), Names->getLangOpts());
  auto isMade = [&](const NamedDecl &each) {
    return isa<VarTemplateSpecializationDecl>(each) && each.getName() == name &&
           instantiatedAt(each) == made;
  };
  for (const DeclarationId &id : Declared.allEarlier(isMade))
    All.insert({id.cell, id.index, DeclarationId::instance});
}

/// What may stand before the name in a declaration of it: a type, or the end of one.
static bool mayPrecedeName(const Token &token) {
  if (token.isNot(tok::raw_identifier))
    return token.isOneOf(tok::star, tok::amp, tok::ampamp, tok::greater);
  static constexpr llvm::StringRef operations[] = {
      "return", "throw", "delete",   "else",      "do",       "goto", "case", "new",
      "sizeof", "not",   "co_await", "co_return", "co_yield", "and",  "or"};
  return !llvm::is_contained(operations, token.getRawIdentifier());
}

void Clashes::noteMacros() {
  // They were there before their names were declared.
  All.insert(ReplacedMacros.begin(), ReplacedMacros.end());
  Preprocessor &preprocessor = Names->getPreprocessor();
  const SourceManager &sources = Names->getSourceManager();
  llvm::StringRef text = sources.getBufferData(Declared.file());
  Lexer lexer(sources.getLocForStartOfFile(Declared.file()), Names->getLangOpts(), text.data(),
              text.data(), text.data() + text.size());
  Token before;
  before.startToken();
  bool binds = false; // within the brackets of a structured binding, and not those of an array
  for (Token token;; before = token) {
    lexer.LexFromRawLexer(token);
    if (token.is(tok::eof))
      return;
    if (token.is(tok::l_square))
      binds = before.isOneOf(tok::amp, tok::ampamp) ||
              (before.is(tok::raw_identifier) && before.getRawIdentifier() == "auto");
    if (token.isNot(tok::raw_identifier) || before.is(tok::hash) ||
        !(mayPrecedeName(before) || (before.is(tok::l_square) && binds) ||
          before.isOneOf(tok::comma, tok::semi, tok::coloncolon, tok::l_brace, tok::r_brace)))
      continue;
    const IdentifierInfo *name = preprocessor.getIdentifierInfo(token.getRawIdentifier());
    if (auto macro = Declared.earlierMacro(*name, preprocessor))
      All.insert(*macro);
  }
}

bool Clashes::mayDefineAgain(llvm::StringRef code, const LangOptions &language) const {
  if (!Declared.hasNames())
    return false;
  std::string text = code.str();
  Lexer lexer(SourceLocation(), language, text.data(), text.data(), text.data() + text.size());
  int depth = 0; // of brackets, but for those of namespaces
  bool space = false;
  Token before;
  before.startToken();
  for (Token token;; before = token) {
    lexer.LexFromRawLexer(token);
    if (token.is(tok::eof))
      return false;
    bool word = token.is(tok::raw_identifier);
    if (token.isOneOf(tok::l_brace, tok::l_paren, tok::l_square)) {
      if (depth == 0 && token.is(tok::l_square) && before.is(tok::raw_identifier) &&
          before.getRawIdentifier() == "auto")
        return true;
      depth += !(space && depth == 0 && token.is(tok::l_brace));
      space = false;
    } else if (token.isOneOf(tok::r_brace, tok::r_paren, tok::r_square)) {
      depth = std::max(depth - 1, 0);
    } else if (depth == 0 && word) {
      llvm::StringRef name = token.getRawIdentifier();
      space |= name == "namespace" || name == "extern";
      if (name == "operator" || (mayPrecedeName(before) && Declared.hasName(name)))
        return true;
    } else if (token.is(tok::semi)) {
      space = false;
    }
  }
}

} // namespace farside
