#include "cell_parser.h"

#include "clang/Frontend/CompilerInstance.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/DelayedDiagnostic.h"
#include "clang/Sema/IdentifierResolver.h"
#include "clang/Sema/Lookup.h"
#include "clang/Sema/Scope.h"
#include "clang/Sema/Sema.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace farside {

using namespace clang;

namespace {

/// Makes the end of a cell the end of a file to whoever reads the arguments of a macro, which in
/// an incremental input have no end: where a `)` is missing Clang would collect ends without end.
class EndOfInput : public PPCallbacks {
public:
  EndOfInput(Preprocessor &input, LangOptions &language) : Input(input), Language(language) {}

  /// Called before Clang makes the token; see CellParser::watch for what becomes of it.
  void FileChanged(SourceLocation loc, FileChangeReason reason, SrcMgr::CharacteristicKind,
                   FileID) override {
    if (reason != ExitFile || !Input.getSourceManager().isInMainFile(loc))
      return;
    Language.IncrementalExtensions = false;
    Input.enableIncrementalProcessing();
  }

private:
  Preprocessor &Input;
  LangOptions &Language;
};

/// Tells whether a statement may begin with this token. False is certain, true is not.
bool mayOpenStatement(const Token &token) {
  return !token.isOneOf(tok::kw_namespace, tok::kw_extern, tok::kw_inline, tok::kw_template,
                        tok::kw_export, tok::kw_using, tok::kw_class, tok::kw_struct, tok::kw_union,
                        tok::kw_enum, tok::kw_asm, tok::annot_repl_input_end);
}

/// Tells whether a statement that is no expression begins with this token.
bool opensControl(const Token &token) {
  return token.isOneOf(tok::l_brace, tok::kw_if, tok::kw_for, tok::kw_while, tok::kw_do,
                       tok::kw_switch, tok::kw_try);
}

/// Holds back what is said about the use of deprecated, unavailable and inaccessible names until
/// their statement has been parsed, as Clang itself does within a declaration.
///
/// To word such a message Clang asks the enclosing declaration where it lies, and that of a
/// top-level statement crashes as long as it holds none.
class HeldDiagnostics {
public:
  HeldDiagnostics(Sema &sema, bool hold) : Owner(sema) {
    if (hold)
      State = sema.PushParsingDeclaration(Pool);
  }

  /// To be called once, with what was parsed.
  void emit(Parser::DeclGroupPtrTy group) {
    if (!State)
      return;
    DeclGroupRef decls = group ? group.get() : DeclGroupRef();
    Owner.PopParsingDeclaration(*State, decls.isNull() ? nullptr : *decls.begin());
  }

private:
  Sema &Owner;
  sema::DelayedDiagnosticPool Pool{nullptr};
  std::optional<Sema::ParsingDeclState> State;
};

} // namespace

CellParser::CellParser(CompilerInstance &instance) : Instance(instance) {
  Preprocessor &preprocessor = Instance.getPreprocessor();
  preprocessor.addPPCallbacks(std::make_unique<EndOfInput>(preprocessor, Instance.getLangOpts()));
  beginScopes();
  preprocessor.setTokenWatcher([this](const Token &token) { watch(const_cast<Token &>(token)); });
}

void CellParser::initialize() {
  Parse = std::make_unique<Parser>(Instance.getPreprocessor(), Instance.getSema(), false);
  Parse->Initialize();
}

/// The end of a cell comes as the end of a file, because of EndOfInput, and becomes that of an
/// incremental input here. Within brackets it stays what it is, which Clang's parser knows: where
/// it expects a statement, the end of an incremental input is an error that it never gets past. The
/// token is the preprocessor's own, on its way to the parser.
void CellParser::watch(Token &token) {
  bool ends = token.isOneOf(tok::eof, tok::annot_repl_input_end);
  Ended = Ended || ends;
  if (!ends)
    Terminated = token.is(tok::semi);
  // In a namespace Clang is to take nothing for a statement. It tells when a token begins what
  // stands there, and may have read the one after that, a `}`.
  bool declares = Blocks.inDeclarations();
  Blocks.take(token);
  if (Instance.getLangOpts().CPlusPlus && !ends)
    Instance.getLangOpts().IncrementalExtensions = !declares && !Blocks.inDeclarations();
  if (Blocks.isOuterReturn())
    rejectReturn(token);
  switch (token.getKind()) {
  case tok::l_brace:
  case tok::l_paren:
  case tok::l_square:
    ++OpenBrackets;
    return;
  case tok::r_brace:
  case tok::r_paren:
  case tok::r_square:
    --OpenBrackets;
    return;
  case tok::eof:
  case tok::annot_repl_input_end:
    Instance.getLangOpts().IncrementalExtensions = true;
    // The preprocessor's location is the end of a main file that holds nothing.
    token.startToken();
    if (OpenBrackets > 0) {
      token.setKind(tok::eof);
    } else {
      noteLastNames();
      token.setKind(tok::annot_repl_input_end);
      token.setAnnotationEndLoc(CellEnd);
      token.setAnnotationValue(nullptr);
    }
    token.setLocation(CellEnd);
    // The parser may try a statement as a declaration first, as with `int(x)`, and read it again
    // from a copy that was made before this.
    if (token.isAnnotation() && Parse && &token == &Parse->getCurToken())
      Instance.getPreprocessor().ReplaceLastTokenWithAnnotation(token);
    return;
  default:
    return;
  }
}

/// Says that no function encloses a `return`, of which the parser is shown a `;` in its place, as
/// it crashes on some such statements and drops others. After that it has nothing to say.
void CellParser::rejectReturn(Token &token) {
  DiagnosticsEngine &engine = Instance.getDiagnostics();
  SourceLocation place = token.getLocation();
  engine.Report(place,
                engine.getCustomDiagID(DiagnosticsEngine::Error, "'return' outside a function"));
  engine.setSuppressAllDiagnostics(true);
  token.startToken();
  token.setKind(tok::semi);
  token.setLocation(place);
}

/// Has Clang take the names of a scope of C from lookup when the scope ends. In an incremental
/// input it leaves them there, where it means to leave those of the file: after `void f(int n) {}`
/// even in the next function `n` would mean this one. So the input is one only where it ends, and
/// from there on; with the last token of the cell scopes may end, whose names go when they have
/// been parsed.
void CellParser::beginScopes() {
  Instance.getPreprocessor().enableIncrementalProcessing(Instance.getLangOpts().CPlusPlus);
}

void CellParser::endScopes() {
  IdentifierResolver &names = Instance.getSema().IdResolver;
  for (NamedDecl *decl : std::exchange(LastNames, {}))
    if (std::find(names.begin(decl->getDeclName()), names.end(), decl) != names.end())
      names.RemoveDecl(decl);
}

/// Notes the names of the scopes that are open at the end of a cell.
void CellParser::noteLastNames() {
  if (Instance.getLangOpts().CPlusPlus || !Parse)
    return;
  for (Scope *scope = Parse->getCurScope(); scope->getParent(); scope = scope->getParent())
    for (Decl *decl : scope->decls())
      if (auto *named = cast<NamedDecl>(decl); named->getDeclName())
        LastNames.push_back(named);
}

bool CellParser::enter(FileID file, size_t size) {
  SourceManager &sources = Instance.getSourceManager();
  SourceLocation from = sources.getLocForStartOfFile(sources.getMainFileID());
  CellEnd = sources.getLocForStartOfFile(file).getLocWithOffset(static_cast<int>(size));
  OpenBrackets = 0;
  Blocks.begin();
  Ended = false;
  Terminated = true;
  beginScopes();
  if (Instance.getPreprocessor().EnterSourceFile(file, nullptr, from))
    return false;
  if (Parse->getCurToken().is(tok::annot_repl_input_end))
    Parse->ConsumeAnyToken();
  return true;
}

// What is said at the end of a function's body is said outside it, and not in a statement.
bool CellParser::inShown() const {
  return Ended && !Terminated && !Controls && isa<TopLevelStmtDecl>(Instance.getSema().CurContext);
}

bool CellParser::parse(llvm::function_ref<bool(DeclGroupRef)> handle, bool first) {
  Parser::DeclGroupPtrTy group;
  Sema::ModuleImportState imports = Sema::ModuleImportState::NotACXX20Module;
  bool atEnd = false;
  if (first)
    atEnd = Parse->ParseFirstTopLevelDecl(group, imports);
  else
    group = nullptr;
  while (!atEnd) {
    if (group && !handle(group.get()))
      return false;
    if (!openStatement())
      return false;
    if (isDeclaration()) // so that Clang does not ask whether it is a statement
      Instance.getLangOpts().IncrementalExtensions = false;
    Controls = opensControl(Parse->getCurToken());
    // Calls of consteval functions in a statement are evaluated when its context ends.
    Sema &sema = Instance.getSema();
    sema.PushExpressionEvaluationContext(Sema::ExpressionEvaluationContext::PotentiallyEvaluated);
    HeldDiagnostics held(sema, mayOpenStatement(Parse->getCurToken()));
    atEnd = Parse->ParseTopLevelDecl(group, imports);
    endScopes();
    held.emit(group);
    sema.PopExpressionEvaluationContext();
  }
  return !Instance.getDiagnostics().hasErrorOccurred();
}

/// Deals with tokens on which Clang's parser goes wrong at the beginning of a top-level
/// statement.
///
/// It crashes on a module's declaration that does not begin a file. And it takes a sign at the
/// beginning of a declaration for an Objective-C method and rejects it. An operand without effect
/// before it makes it the expression that it is; Display takes it off again.
bool CellParser::openStatement() {
  const Token &sign = Parse->getCurToken();
  DiagnosticsEngine &engine = Instance.getDiagnostics();
  Blocks.openTopLevel();
  if (isModuleDeclaration()) {
    engine.Report(sign.getLocation(), engine.getCustomDiagID(DiagnosticsEngine::Error,
                                                             "a cell cannot declare a module"));
    return false;
  }
  if (!sign.isOneOf(tok::minus, tok::plus))
    return true;
  static constexpr tok::TokenKind kinds[] = {tok::l_paren, tok::kw_void, tok::r_paren,
                                             tok::numeric_constant, tok::comma};
  auto tokens = std::make_unique<Token[]>(std::size(kinds) + 1);
  for (size_t i = 0; i < std::size(kinds); ++i) {
    tokens[i].startToken();
    tokens[i].setKind(kinds[i]);
    tokens[i].setLocation(sign.getLocation());
    tokens[i].setLength(1);
    if (kinds[i] == tok::numeric_constant)
      tokens[i].setLiteralData("0");
  }
  tokens[std::size(kinds)] = sign;
  Instance.getPreprocessor().EnterTokenStream(std::move(tokens), std::size(kinds) + 1, true, true);
  Parse->ConsumeAnyToken();
  return true;
}

/// Tells whether what comes next can be nothing but a declaration with a type's name: the
/// definition of a function, as in `T<A> f(int) {`, or what has two names side by side. In
/// `T<A> x;` these may be compared, unless the first is not known.
///
/// Clang takes for an expression what begins with a name that it does not know, and after its error
/// goes on after the next `;`, be it that of the declaration after the function.
bool CellParser::isDeclaration() {
  if (!Instance.getLangOpts().CPlusPlus)
    return false;
  Preprocessor &preprocessor = Instance.getPreprocessor();
  unsigned at = 0; // how many tokens are looked at, besides the parser's own
  auto kind = [&] {
    return at == 0 ? Parse->getCurToken().getKind() : preprocessor.LookAhead(at - 1).getKind();
  };
  bool compares = false;
  while (kind() == tok::identifier) { // of the type
    ++at;
    if (kind() == tok::less) {
      if (!skipBrackets(at, tok::less, tok::greater))
        return false;
      compares = isKnown(Parse->getCurToken());
    }
    if (kind() != tok::coloncolon)
      break;
    ++at;
  }
  if (at == 0)
    return false;
  if (kind() == tok::identifier && !compares)
    return true;
  while (kind() == tok::star || kind() == tok::amp || kind() == tok::ampamp)
    ++at;
  if (kind() != tok::identifier)
    return false;
  ++at;
  return kind() == tok::l_paren && skipBrackets(at, tok::l_paren, tok::r_paren) &&
         kind() == tok::l_brace;
}

bool CellParser::isKnown(const Token &name) {
  Sema &sema = Instance.getSema();
  LookupResult found(sema, name.getIdentifierInfo(), name.getLocation(), Sema::LookupAnyName);
  found.suppressDiagnostics();
  return sema.LookupName(found, sema.TUScope);
}

/// Looks past what is between brackets; false where they do not end before the statement does.
bool CellParser::skipBrackets(unsigned &at, tok::TokenKind open, tok::TokenKind close) {
  for (int depth = 0;; ++at) {
    const Token &token = Instance.getPreprocessor().LookAhead(at - 1);
    if (token.isOneOf(tok::eof, tok::annot_repl_input_end, tok::semi, tok::l_brace, tok::r_brace))
      return false;
    if (token.is(open))
      ++depth;
    else if (token.is(close))
      --depth;
    else if (token.is(tok::greatergreater) && close == tok::greater)
      depth -= 2;
    if (depth <= 0)
      return ++at, true;
  }
}

/// Tells whether the next tokens are `module name` or `export module`.
bool CellParser::isModuleDeclaration() {
  if (!Instance.getLangOpts().CPlusPlusModules)
    return false;
  auto isModule = [](const Token &token) {
    return token.is(tok::kw_module) ||
           (token.is(tok::identifier) && token.getIdentifierInfo()->isStr("module"));
  };
  const Token &first = Parse->getCurToken();
  Preprocessor &preprocessor = Instance.getPreprocessor();
  if (first.is(tok::kw_export))
    return isModule(preprocessor.LookAhead(0));
  return isModule(first) && preprocessor.LookAhead(0).is(tok::identifier);
}

} // namespace farside
