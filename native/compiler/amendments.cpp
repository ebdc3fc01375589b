#include "amendments.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/ASTLambda.h"
#include "clang/AST/DeclCXX.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/CharInfo.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Lex/Lexer.h"
#include "clang/Sema/Lookup.h"
#include "clang/Sema/Sema.h"

#include <algorithm>

namespace farside {

using namespace clang;

namespace {

/// Whether nothing but statements at the top level, and lambdas in them, enclose a place.
bool isAtTopLevel(const DeclContext *context) {
  for (; context; context = context->getParent()) {
    if (const auto *record = dyn_cast<CXXRecordDecl>(context); record && record->isLambda())
      continue;
    if (!context->isFileContext() && !isa<TopLevelStmtDecl, LinkageSpecDecl>(context) &&
        !isLambdaCallOperator(context))
      return false;
  }
  return true;
}

} // namespace

void Amendments::begin(Sema &sema, FileID file) {
  Names = &sema;
  File = file;
  Found.clear();
  Scoped.clear();
  Uses.clear();
  Ambiguous.reset();
}

void Amendments::note(const Diagnostic &said) {
  if (!Names || !said.hasSourceManager())
    return;
  switch (said.getID()) {
  case diag::err_capture_non_automatic_variable:
    return captureByName(said);
  case diag::err_capture_default_non_local:
    return captureDefault(said.getLocation());
  case diag::err_ambiguous_reference:
    return ambiguous(said);
  case diag::note_ambiguous_candidate:
    return candidate(said.getLocation());
  default:
    return;
  }
}

std::vector<Amendment> Amendments::all() const {
  auto before = [](const Amendment &one, const Amendment &other) {
    return one.offset < other.offset;
  };
  auto same = [](const Amendment &one, const Amendment &other) {
    return one.offset == other.offset;
  };
  std::vector<Amendment> sorted = Found;
  auto first = std::min_element(Scoped.begin(), Scoped.end(), before);
  if (first != Scoped.end()) { // those of one lambda
    size_t end = text().find(']', first->offset);
    for (const Amendment &each : Scoped)
      if (each.offset <= end)
        sorted.push_back(each);
  }
  if (sorted.empty())
    sorted = Uses;
  std::stable_sort(sorted.begin(), sorted.end(), before);
  // Clang may parse the beginning of a statement twice.
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  return sorted;
}

/// Where in the cell a place is; none if it is not in its own text, as in a macro.
std::optional<unsigned> Amendments::offsetOf(SourceLocation place) const {
  const SourceManager &sources = Names->getSourceManager();
  if (place.isInvalid() || place.isMacroID() || sources.getFileID(place) != File)
    return std::nullopt;
  return sources.getFileOffset(place);
}

/// `[k]` means `[k = k]`, and `[&k]` means `[&k = k]`. A static variable of a function is captured
/// nowhere.
void Amendments::captureByName(const Diagnostic &error) {
  std::optional<unsigned> offset = offsetOf(error.getLocation());
  if (!offset || !isAtTopLevel(Names->CurContext))
    return;
  LookupResult found(*Names, &Names->Context.Idents.get(nameAt(*offset)), error.getLocation(),
                     Sema::LookupOrdinaryName);
  found.suppressDiagnostics();
  Names->LookupName(found, Names->getCurScope());
  const auto *variable = found.getAsSingle<ValueDecl>();
  if (variable && variable->getDeclContext()->getRedeclContext()->isFileContext())
    capture(*offset, *variable, "");
}

/// Has a lambda capture what it names. An array by value would become a pointer.
void Amendments::capture(unsigned offset, const ValueDecl &variable, llvm::StringRef scope) {
  bool byReference = text().take_front(offset).rtrim().ends_with("&");
  if (!byReference && variable.getType().getNonReferenceType()->isArrayType())
    return;
  std::string name = nameAt(offset);
  unsigned end = offset + static_cast<unsigned>(name.size());
  (scope.empty() ? Found : Scoped).push_back({end, 0, (" = " + scope + name).str()});
}

/// Whether the name at a place is one that a lambda lists, by the tokens around it: the bracket
/// follows nothing that it could be a subscript of.
bool Amendments::isInCaptures(unsigned offset) const {
  llvm::StringRef before = text().take_front(offset).rtrim();
  llvm::StringRef after = text().drop_front(offset + nameAt(offset).size()).ltrim();
  if (!(before.ends_with("[") || before.ends_with(",") || before.ends_with("&")) ||
      !(after.starts_with(",") || after.starts_with("]")))
    return false;
  auto isListed = [](char each) {
    return isAsciiIdentifierContinue(each) || isWhitespace(each) || each == ',' || each == '&' ||
           each == '=' || each == ':';
  };
  while (!before.empty() && isListed(before.back()))
    before = before.drop_back();
  if (!before.consume_back("["))
    return false;
  before = before.rtrim();
  llvm::StringRef word = before;
  while (!word.empty() && isAsciiIdentifierContinue(word.back()))
    word = word.drop_back();
  word = before.drop_front(word.size());
  if (!word.empty())
    return word == "return" || word == "co_return" || word == "co_yield" || word == "throw";
  return !before.ends_with(")") && !before.ends_with("]") && !before.ends_with("\"");
}

llvm::StringRef Amendments::text() const { return Names->getSourceManager().getBufferData(File); }

std::string Amendments::nameAt(unsigned offset) const {
  const SourceManager &sources = Names->getSourceManager();
  SourceLocation place =
      sources.getLocForStartOfFile(File).getLocWithOffset(static_cast<int>(offset));
  unsigned length = Lexer::MeasureTokenLength(place, sources, Names->getLangOpts());
  return text().substr(offset, length).str();
}

/// `[&]` means `[]`. What `[=]` would copy is not known.
void Amendments::captureDefault(SourceLocation place) {
  std::optional<unsigned> offset = offsetOf(place);
  if (!offset || !isAtTopLevel(Names->CurContext))
    return;
  llvm::StringRef text = this->text().substr(*offset);
  if (!text.starts_with("&"))
    return;
  llvm::StringRef rest = text.drop_front().ltrim();
  if (rest.starts_with(","))
    rest = rest.drop_front();
  else if (!rest.starts_with("]"))
    return;
  Found.push_back({*offset, static_cast<unsigned>(text.size() - rest.size()), ""});
}

void Amendments::ambiguous(const Diagnostic &error) {
  Ambiguous.reset();
  Own.clear();
  if (error.getNumArgs() == 0 || error.getArgKind(0) != DiagnosticsEngine::ak_declarationname)
    return;
  auto name = DeclarationName::getFromOpaqueInteger(error.getRawArg(0));
  const SourceManager &sources = Names->getSourceManager();
  for (const NamedDecl *decl : Names->Context.getTranslationUnitDecl()->lookup(name))
    if (!sources.isInSystemHeader(decl->getLocation()))
      Own.push_back(decl);
  Ambiguous = offsetOf(error.getLocation());
}

/// Where a declaration of a cell at the top level is among those that a name may mean, it is meant.
void Amendments::candidate(SourceLocation place) {
  auto isHere = [place](const NamedDecl *decl) { return decl->getLocation() == place; };
  auto own = std::find_if(Own.begin(), Own.end(), isHere);
  if (!Ambiguous || own == Own.end())
    return;
  const auto *variable = dyn_cast<ValueDecl>(*own);
  if (!isInCaptures(*Ambiguous))
    Uses.push_back({*Ambiguous, 0, "::"});
  else if (variable && isAtTopLevel(Names->CurContext))
    capture(*Ambiguous, *variable, "::");
  Ambiguous.reset();
}

} // namespace farside
