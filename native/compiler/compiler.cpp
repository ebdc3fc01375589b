#include "compiler.h"

#include "call_check.h"
#include "conflicts.h"
#include "declared.h"
#include "identity.h"
#include "instances.h"
#include "module.h"
#include "shown_header.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclGroup.h"
#include "clang/AST/GlobalDecl.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/TargetInfo.h"
#include "clang/CodeGen/ModuleBuilder.h"
#include "clang/Frontend/FrontendAction.h"
#include "clang/Lex/Pragma.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/DelayedDiagnostic.h"
#include "clang/Sema/Sema.h"
#include "llvm/IR/DebugInfo.h"

#include <chrono>

namespace farside {

using namespace clang;

namespace {

/// Time since construction, or since the last call, in microseconds.
class Stopwatch {
public:
  int64_t lap() {
    auto now = std::chrono::steady_clock::now();
    auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now - Last).count();
    Last = now;
    return micros;
  }

private:
  std::chrono::steady_clock::time_point Last = std::chrono::steady_clock::now();
};

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

/// What a pragma does to the file that it stands in, which Clang's own handlers take for granted.
using FilePragmaAction = void (Preprocessor::*)(Token &);

/// A pragma about the file that it stands in. It has no effect in a cell, which is no file.
class FilePragma : public PragmaHandler {
public:
  FilePragma(llvm::StringRef name, FilePragmaAction action) : PragmaHandler(name), Action(action) {}

  void HandlePragma(Preprocessor &preprocessor, PragmaIntroducer, Token &token) override {
    SourceManager &sources = preprocessor.getSourceManager();
    if (sources.getFileEntryRefForID(sources.getFileID(token.getLocation())))
      (preprocessor.*Action)(token);
  }

  /// Puts these handlers in the place of Clang's, which crash in a cell.
  static void install(Preprocessor &preprocessor) {
    auto systemHeader = &Preprocessor::HandlePragmaSystemHeader;
    preprocessor.AddPragmaHandler(new FilePragma("once", &Preprocessor::HandlePragmaOnce));
    preprocessor.AddPragmaHandler("GCC", new FilePragma("system_header", systemHeader));
    preprocessor.AddPragmaHandler("clang", new FilePragma("system_header", systemHeader));
    preprocessor.AddPragmaHandler(
        "GCC", new FilePragma("dependency", &Preprocessor::HandlePragmaDependency));
    preprocessor.AddPragmaHandler(
        "clang", new FilePragma("dependency", &Preprocessor::HandlePragmaDependency));
  }

private:
  FilePragmaAction Action;
};

/// Makes the end of a cell the end of a file to whoever reads the arguments of a macro, which in
/// an incremental input have no end: where a `)` is missing Clang would collect ends without end.
class EndOfInput : public PPCallbacks {
public:
  EndOfInput(const SourceManager &sources, LangOptions &language)
      : Sources(sources), Language(language) {}

  /// Called before Clang makes the token; see Compiler::watch for what becomes of it.
  void FileChanged(SourceLocation loc, FileChangeReason reason, SrcMgr::CharacteristicKind,
                   FileID) override {
    if (reason == ExitFile && Sources.isInMainFile(loc))
      Language.IncrementalExtensions = false;
  }

private:
  const SourceManager &Sources;
  LangOptions &Language;
};

/// Tells whether a statement may begin with this token. False is certain, true is not.
bool mayOpenStatement(const Token &token) {
  return !token.isOneOf(tok::kw_namespace, tok::kw_extern, tok::kw_inline, tok::kw_template,
                        tok::kw_export, tok::kw_using, tok::kw_class, tok::kw_struct, tok::kw_union,
                        tok::kw_enum, tok::kw_asm, tok::annot_repl_input_end);
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

/// Stands between Clang's parser and its code generator.
class CellConsumer : public ASTConsumer {
public:
  CellConsumer(CompilerInstance &instance, llvm::LLVMContext &context, Redefinitions &redefined)
      : Instance(instance), Redefined(redefined),
        Generator(CreateLLVMCodeGen(instance, "start", context)) {}

  /// What is collected for the cell that is being parsed.
  unsigned Number = 0;
  FileID File;
  llvm::json::Array Declared;
  std::optional<ShownType> Value;
  SourceLocation Shown;
  Display *Show = nullptr;
  ConflictWatch *Conflicts = nullptr;
  ForeignInstances Foreign;

  CodeGenerator &generator() { return *Generator; }

  /// Has code made of instances from here on that were left to the executor until now.
  void makeInstances() {
    for (FunctionDecl *function : Foreign.stop())
      Generator->HandleTopLevelDecl(DeclGroupRef(function));
  }

  void begin(unsigned number, FileID file) {
    Number = number;
    File = file;
    Entities.begin(number);
    Declared = {};
    Value.reset();
    Shown = {};
  }

  bool HandleTopLevelDecl(DeclGroupRef decls) override {
    ASTContext &context = Instance.getASTContext();
    for (Decl *decl : decls)
      if (auto *statement = dyn_cast<TopLevelStmtDecl>(decl))
        prepare(*statement);
    if (Conflicts)
      Conflicts->declared(decls);
    if (Show)
      Show->bodies().declared(decls);
    checkCall(decls, Instance.getDiagnostics());
    Redefined.declare(decls);
    appendDeclared(Declared, context, decls, File,
                   [this](const NamedDecl &decl) { return symbolOf(decl); });
    EagerInternals eager(context, decls);
    return Generator->HandleTopLevelDecl(decls);
  }

  void Initialize(ASTContext &context) override { Generator->Initialize(context); }
  void HandleInlineFunctionDefinition(FunctionDecl *decl) override {
    OverloadedOperatorKind kind = decl->getOverloadedOperator();
    if (kind == OO_New || kind == OO_Array_New || kind == OO_Delete || kind == OO_Array_Delete)
      makeInstances(); // its code comes too late for HandleTranslationUnit to see it
    Generator->HandleInlineFunctionDefinition(decl);
  }
  void HandleInterestingDecl(DeclGroupRef decls) override {
    for (Decl *decl : decls)
      if (auto *function = dyn_cast<FunctionDecl>(decl))
        Foreign.consider(*function, [this](FunctionDecl &each) {
          return Generator->GetMangledName(GlobalDecl(&each));
        });
    Generator->HandleInterestingDecl(decls);
  }
  void HandleTranslationUnit(ASTContext &context) override {
    if (replacesAllocation(*Generator->GetModule()))
      makeInstances(); // now, as what was referred to until here is emitted next
    Generator->HandleTranslationUnit(context);
  }
  void HandleTagDeclDefinition(TagDecl *decl) override {
    Redefined.defineType(*decl);
    Generator->HandleTagDeclDefinition(decl);
  }
  void HandleTagDeclRequiredDefinition(const TagDecl *decl) override {
    Generator->HandleTagDeclRequiredDefinition(decl);
  }
  void HandleCXXImplicitFunctionInstantiation(FunctionDecl *decl) override {
    Generator->HandleCXXImplicitFunctionInstantiation(decl);
  }
  void HandleTopLevelDeclInObjCContainer(DeclGroupRef decls) override {
    Generator->HandleTopLevelDeclInObjCContainer(decls);
  }
  void HandleImplicitImportDecl(ImportDecl *decl) override {
    Generator->HandleImplicitImportDecl(decl);
  }
  void CompleteTentativeDefinition(VarDecl *decl) override {
    if (!isDefinedEarlier(*decl))
      Generator->CompleteTentativeDefinition(decl);
  }
  void CompleteExternalDeclaration(DeclaratorDecl *decl) override {
    Generator->CompleteExternalDeclaration(decl);
  }
  void AssignInheritanceModel(CXXRecordDecl *decl) override {
    Generator->AssignInheritanceModel(decl);
  }
  void HandleCXXStaticMemberVarInstantiation(VarDecl *decl) override {
    Generator->HandleCXXStaticMemberVarInstantiation(decl);
  }
  void HandleVTable(CXXRecordDecl *decl) override { Generator->HandleVTable(decl); }
  ASTMutationListener *GetASTMutationListener() override { return &Entities; }
  ASTDeserializationListener *GetASTDeserializationListener() override {
    return Generator->GetASTDeserializationListener();
  }

  /// The symbol of a variable or function; empty for what has none.
  std::string symbolOf(const NamedDecl &decl) {
    std::string name = decl.getDeclName().isIdentifier() ? decl.getName().str() : "";
    if (Instance.getLangOpts().CPlusPlus || decl.hasAttr<AsmLabelAttr>())
      name = mangledName(decl);
    return name.empty() || decl.isExternallyVisible() ? name : sharedName(name);
  }

private:
  void prepare(TopLevelStmtDecl &statement) {
    if (statement.isSemiMissing() && Show && statement.getStmt()) {
      Shown = statement.getBeginLoc();
      if (!Instance.getDiagnostics().hasErrorOccurred())
        Value = Show->show(statement);
    }
    Entities.finish(statement);
  }

  /// Tells whether an earlier cell has defined this variable of C, tentatively or not: `int x;`
  /// means the same variable each time. Clang numbers files in the order in which it opens them.
  bool isDefinedEarlier(const VarDecl &variable) {
    const SourceManager &sources = Instance.getSourceManager();
    for (const VarDecl *each : variable.redecls())
      if (each->isThisDeclarationADefinition() != VarDecl::DeclarationOnly &&
          sources.getFileID(sources.getSpellingLoc(each->getLocation())) < File)
        return true;
    return false;
  }

  std::string mangledName(const NamedDecl &decl) {
    // A type that is still to be deduced has no mangled name, and asking is no use after errors.
    if (Instance.getDiagnostics().hasErrorOccurred() || decl.isTemplated())
      return {};
    if (const auto *function = dyn_cast<FunctionDecl>(&decl);
        function && !function->getReturnType()->isUndeducedType())
      return Generator->GetMangledName(GlobalDecl(function)).str();
    if (const auto *variable = dyn_cast<VarDecl>(&decl); variable && variable->getDeclName())
      return Generator->GetMangledName(GlobalDecl(variable)).str();
    return {};
  }

  CompilerInstance &Instance;
  Redefinitions &Redefined;
  std::unique_ptr<CodeGenerator> Generator;
  StatementEntities Entities;
};

/// Clang's own way to set an instance up for a file, stopped before it would parse and never ended.
class CellAction : public ASTFrontendAction {
public:
  CellAction(llvm::LLVMContext &context, Redefinitions &redefined)
      : Context(context), Redefined(redefined) {}

  CellConsumer *Consumer = nullptr;

protected:
  std::unique_ptr<ASTConsumer> CreateASTConsumer(CompilerInstance &instance,
                                                 llvm::StringRef) override {
    auto consumer = std::make_unique<CellConsumer>(instance, Context, Redefined);
    Consumer = consumer.get();
    return consumer;
  }
  TranslationUnitKind getTranslationUnitKind() override { return TU_Incremental; }

private:
  llvm::LLVMContext &Context;
  Redefinitions &Redefined;
};

/// Gives the main file, which is empty, an entry among the files: where sanitizers are on, Clang
/// asks for its name at every function, and crashes where there is none.
static void nameMainFile(CompilerInstance &instance) {
  SourceManager &sources = instance.getSourceManager();
  FileEntryRef entry = instance.getFileManager().getVirtualFileRef("start", 0, 0);
  sources.overrideFileContents(entry, llvm::MemoryBuffer::getMemBuffer("", "start"));
  sources.setMainFileID(sources.createFileID(entry, SourceLocation(), SrcMgr::C_User));
}

Compiler::Compiler(std::shared_ptr<CompilerInvocation> invocation, DiagnosticCollector &collector)
    : Collector(collector), Instance(std::make_unique<CompilerInstance>(std::move(invocation))),
      Action(std::make_unique<CellAction>(Context, Redefined)) {}

// Clang's instance cannot be taken down in good order after BeginSourceFile alone, and a process
// that drops its compiler starts another or ends.
Compiler::~Compiler() {
  Parse.reset();
  (void)Action.release();
  (void)Instance.release();
}

std::unique_ptr<Compiler> Compiler::create(std::shared_ptr<CompilerInvocation> invocation,
                                           DiagnosticCollector &collector,
                                           CompilerSettings settings,
                                           std::unique_ptr<PchNames> pchNames) {
  std::unique_ptr<Compiler> compiler(new Compiler(std::move(invocation), collector));
  if (!compiler->start(settings, std::move(pchNames)))
    return nullptr;
  return compiler;
}

bool Compiler::start(CompilerSettings settings, std::unique_ptr<PchNames> pchNames) {
  Instance->createVirtualFileSystem();
  Instance->createDiagnostics(&Collector, /*ShouldOwnClient=*/false);
  if (!Instance->createTarget())
    return false;
  InputKind kind = InputKind(Instance->getLangOpts().CPlusPlus ? Language::CXX : Language::C);
  // The name shows up in nothing but messages about options that include files.
  FrontendInputFile input(llvm::MemoryBufferRef("", "start"), kind);
  Instance->getFrontendOpts().Inputs = {input};
  if (!Action->BeginSourceFile(*Instance, input))
    return false;
  nameMainFile(*Instance);
  Consumer = Action->Consumer;
  Preprocessor &preprocessor = Instance->getPreprocessor();
  preprocessor.enableIncrementalProcessing();
  if (pchNames) {
    auto watch = std::make_unique<ConflictWatch>(std::move(pchNames), Instance->getSourceManager(),
                                                 Instance->getLangOpts());
    Consumer->Conflicts = Conflicts = watch.get();
    preprocessor.addPPCallbacks(std::move(watch));
  }
  preprocessor.addPPCallbacks(
      std::make_unique<EndOfInput>(Instance->getSourceManager(), Instance->getLangOpts()));
  preprocessor.addPPCallbacks(std::make_unique<MacroList>(
      Consumer->Declared, Instance->getSourceManager(), Consumer->File));
  FilePragma::install(preprocessor);
  preprocessor.setTokenWatcher([this](const Token &token) { watch(const_cast<Token &>(token)); });
  preprocessor.EnterMainSourceFile();
  Instance->createSema(TU_Incremental, nullptr);
  if (settings.redefinition) {
    Instance->getDiagnostics().setSeverity(diag::ext_pp_macro_redef, diag::Severity::Ignored, {});
    Collector.OnEarlier = [this](unsigned error, SourceLocation at, SourceLocation earlier,
                                 const SourceManager &sources) {
      Redefined.clash(error, at, earlier, sources);
    };
  }
  Redefined.begin(Instance->getSema(), 0, {}, {});
  Parse = std::make_unique<Parser>(preprocessor, Instance->getSema(), false);
  Parse->Initialize();
  if (ExternalASTSource *external = Instance->getASTContext().getExternalSource())
    external->StartTranslationUnit(Consumer);
  Emit = std::make_unique<Emitter>(*Instance);
  reportBackendErrors(Context, Instance->getDiagnostics());
  // What `-include` brings is parsed now; its code comes out with that of the first cell.
  Sema::GlobalEagerInstantiationScope global(Instance->getSema(), true, true);
  Sema::LocalEagerInstantiationScope local(Instance->getSema(), true);
  MayContinue = parseDeclarations(/*first=*/true) && parseShownHeader();
  local.perform();
  global.perform();
  Instances = settings.instances;
  if (Instances)
    Consumer->Foreign.start();
  if (settings.showValues)
    Consumer->Show = new Display(Instance->getSema()); // lives as long as the process
  return MayContinue && !Instance->getDiagnostics().hasErrorOccurred();
}

/// The end of a cell comes as the end of a file, because of EndOfInput, and becomes that of an
/// incremental input here. Within brackets it stays what it is, which Clang's parser knows: where
/// it expects a statement, the end of an incremental input is an error that it never gets past. The
/// token is the preprocessor's own, on its way to the parser.
void Compiler::watch(Token &token) {
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
    Instance->getLangOpts().IncrementalExtensions = true;
    // The preprocessor's location is the end of a main file that holds nothing.
    token.startToken();
    if (OpenBrackets > 0) {
      token.setKind(tok::eof);
    } else {
      token.setKind(tok::annot_repl_input_end);
      token.setAnnotationEndLoc(CellEnd);
      token.setAnnotationValue(nullptr);
    }
    token.setLocation(CellEnd);
    // The parser may try a statement as a declaration first, as with `int(x)`, and read it again
    // from a copy that was made before this.
    if (token.isAnnotation() && Parse && &token == &Parse->getCurToken())
      Instance->getPreprocessor().ReplaceLastTokenWithAnnotation(token);
    return;
  default:
    return;
  }
}

/// Parses what the display of values declares. It is a file of its own: for each module Clang makes
/// a checksum of the main file, which would take a sixth of the time of a small cell.
bool Compiler::parseShownHeader() {
  SourceManager &sources = Instance->getSourceManager();
  llvm::StringRef text = shownHeader(Instance->getLangOpts().CPlusPlus);
  SourceLocation from = sources.getLocForStartOfFile(sources.getMainFileID());
  FileID file = sources.createFileID(llvm::MemoryBuffer::getMemBuffer(text, "start"),
                                     SrcMgr::C_User, 0, 0, from);
  return enter(file, text.size()) && parseDeclarations();
}

/// Has the parser go on with a file.
bool Compiler::enter(FileID file, size_t size) {
  SourceManager &sources = Instance->getSourceManager();
  SourceLocation from = sources.getLocForStartOfFile(sources.getMainFileID());
  CellEnd = sources.getLocForStartOfFile(file).getLocWithOffset(static_cast<int>(size));
  OpenBrackets = 0;
  if (Instance->getPreprocessor().EnterSourceFile(file, nullptr, from))
    return false;
  if (Parse->getCurToken().is(tok::annot_repl_input_end))
    Parse->ConsumeAnyToken();
  return true;
}

/// Parses up to the end of the input that was entered last. False after an error.
bool Compiler::parseDeclarations(bool first) {
  Parser::DeclGroupPtrTy group;
  Sema::ModuleImportState imports = Sema::ModuleImportState::NotACXX20Module;
  bool atEnd = false;
  if (first)
    atEnd = Parse->ParseFirstTopLevelDecl(group, imports);
  else
    group = nullptr;
  while (!atEnd) {
    if (group && !Consumer->HandleTopLevelDecl(group.get()))
      return false;
    // Before the end of the cell, where Clang misses what is not defined.
    if (group && Consumer->Number != 0 && isa<TopLevelStmtDecl>(*group.get().begin()) &&
        !completeDisplay())
      return false;
    if (!openStatement())
      return false;
    // Calls of consteval functions in a statement are evaluated when its context ends.
    Sema &sema = Instance->getSema();
    sema.PushExpressionEvaluationContext(Sema::ExpressionEvaluationContext::PotentiallyEvaluated);
    HeldDiagnostics held(sema, mayOpenStatement(Parse->getCurToken()));
    atEnd = Parse->ParseTopLevelDecl(group, imports);
    held.emit(group);
    sema.PopExpressionEvaluationContext();
  }
  return !Instance->getDiagnostics().hasErrorOccurred();
}

/// Deals with tokens on which Clang's parser goes wrong at the beginning of a top-level
/// statement.
///
/// It crashes on `return`, and on a module's declaration that does not begin a file. And it takes a
/// sign at the beginning of a declaration for an Objective-C method and rejects it. An operand
/// without effect before it makes it the expression that it is; Display takes it off again.
bool Compiler::openStatement() {
  const Token &sign = Parse->getCurToken();
  DiagnosticsEngine &engine = Instance->getDiagnostics();
  if (sign.is(tok::kw_return)) {
    engine.Report(sign.getLocation(),
                  engine.getCustomDiagID(DiagnosticsEngine::Error, "'return' outside a function"));
    return false;
  }
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
  Instance->getPreprocessor().EnterTokenStream(std::move(tokens), std::size(kinds) + 1, true, true);
  Parse->ConsumeAnyToken();
  return true;
}

/// Tells whether the next tokens are `module name` or `export module`.
bool Compiler::isModuleDeclaration() {
  if (!Instance->getLangOpts().CPlusPlusModules)
    return false;
  auto isModule = [](const Token &token) {
    return token.is(tok::kw_module) ||
           (token.is(tok::identifier) && token.getIdentifierInfo()->isStr("module"));
  };
  const Token &first = Parse->getCurToken();
  Preprocessor &preprocessor = Instance->getPreprocessor();
  if (first.is(tok::kw_export))
    return isModule(preprocessor.LookAhead(0));
  return isModule(first) && preprocessor.LookAhead(0).is(tok::identifier);
}

bool Compiler::parse(unsigned number, llvm::StringRef code, llvm::ArrayRef<DeclarationId> hidden) {
  prepare();
  if (!Instances)
    Consumer->makeInstances();
  Sema &sema = Instance->getSema();
  SourceManager &sources = Instance->getSourceManager();
  std::string name = "cell " + std::to_string(number);
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(code.str() + "\n", name);
  SourceLocation from = sources.getLocForStartOfFile(sources.getMainFileID());
  FileID file = sources.createFileID(std::move(buffer), SrcMgr::C_User, 0, 0, from);
  Consumer->begin(number, file);
  Redefined.begin(sema, number, file, hidden);
  Sema::GlobalEagerInstantiationScope global(sema, true, true);
  Sema::LocalEagerInstantiationScope local(sema, true);
  bool ok = enter(file, code.size()) && parseDeclarations();
  if (ok) {
    for (Decl *weak : sema.WeakTopLevelDecls())
      Consumer->HandleTopLevelDecl(DeclGroupRef(weak));
  }
  ok = ok && completeDisplay();
  local.perform();
  global.perform();
  ok = ok && !Instance->getDiagnostics().hasErrorOccurred();
  if (ok)
    Consumer->HandleTranslationUnit(Instance->getASTContext());
  return ok && !Instance->getDiagnostics().hasErrorOccurred();
}

/// Makes the functions that show values. What goes wrong there, in templates of the program, is not
/// an error of the cell.
bool Compiler::completeDisplay() {
  if (!Consumer->Show || Instance->getDiagnostics().hasErrorOccurred())
    return true;
  Sema &sema = Instance->getSema();
  bool pending = Consumer->Show->bodies().pending();
  if (pending || Consumer->Show->bodies().hasHeader())
    sema.PerformPendingInstantiations();
  if (!pending && !Consumer->Show->bodies().pending())
    return true;
  if (Instance->getDiagnostics().hasErrorOccurred())
    return false;
  size_t before = Collector.count();
  Consumer->Show->bodies().complete(
      [this](FunctionDecl *made) { Consumer->generator().HandleTopLevelDecl(DeclGroupRef(made)); });
  Collector.dropFrom(before);
  DisplayFailed = Instance->getDiagnostics().hasErrorOccurred();
  return !DisplayFailed;
}

void Compiler::prepare() {
  if (NextModule != 0)
    Consumer->generator().StartModule("cell " + std::to_string(NextModule), Context);
  NextModule = 0;
}

std::unique_ptr<llvm::Module> Compiler::takeModule(unsigned number) {
  std::unique_ptr<llvm::Module> module(Consumer->generator().ReleaseModule());
  NextModule = number + 1;
  NumberedNames = numberedNames(*module);
  Instances = Instances && !replacesAllocation(*module);
  return module;
}

/// Says the line of a cell of one line in the answer, as DWARF would take longer to write than
/// code.
void Compiler::dropOnlyLine(llvm::Module &module, unsigned number, Cell &cell) {
  if (Instance->getCodeGenOpts().getDebugInfo() != llvm::codegenoptions::DebugLineTablesOnly)
    return;
  cell.onlyLine = onlyLine(module, "cell " + std::to_string(number));
  if (cell.onlyLine != 0)
    llvm::StripDebugInfo(module);
}

void Compiler::emit(std::unique_ptr<llvm::Module> module, unsigned number, Cell &cell) {
  Stopwatch watch;
  llvm::Module &m = *module;
  unsigned level = Emit->level();
  promoteInternals(m, number);
  separateInitialisers(m);
  keepStatementsOnStack(m);
  for (const FunctionDecl *function : Redefined.sameFunctions())
    cell.redefined.push_back(Consumer->symbolOf(*function));
  for (const std::string &symbol : cell.redefined)
    Known.erase(symbol);
  dropRepeatedInitialisers(m, Known);
  if (Instances)
    withdrawInstances(m);
  withdrawKnown(m, Known, level == 0 ? KnownBodies::drop : KnownBodies::inline_);
  dropUnused(m); // what only a display needs that an earlier cell has made
  if (level == 0 || runsOnce(m)) {
    level = 0;
    dropInlineBodies(m);
    dropUnused(m);
    dropOnlyLine(m, number, cell);
  }
  bindDefinitions(m);
  if (level > 0 || needsLowering(m) || !Instance->getLangOpts().Sanitize.empty()) {
    HeldInitialisers held(m);
    Emit->optimise(m, level);
  }
  cell.optimiseMicros = watch.lap();
  cell.cookie.numberedNames = NumberedNames;
  cell.cookie.weakSymbols = weakDefinitions(m);
  for (const std::string &symbol : cell.cookie.weakSymbols)
    Known.insert(symbol);
  if (!definesNothing(m))
    cell.object = Emit->write(m, level);
  if (Instance->getDiagnostics().hasErrorOccurred()) {
    cell.ok = false;
    cell.object = {};
  }
  cell.emitMicros = watch.lap();
}

Cell Compiler::compile(unsigned number, llvm::StringRef code, std::vector<DeclarationId> hidden,
                       bool plain, bool given) {
  Cell cell;
  Stopwatch watch;
  setDisplay(plain, given);
  cell.ok = MayContinue && parse(number, code, hidden);
  MayContinue = cell.ok;
  cell.displayFailed = DisplayFailed;
  if (!cell.ok && !DisplayFailed && Collector.OnEarlier)
    Redefined.clashWithMacros();
  cell.clashes = clashes();
  cell.cookie.hidden = std::move(hidden);
  cell.declared = std::move(Consumer->Declared);
  cell.value = std::move(Consumer->Value);
  if (Consumer->Shown.isValid()) {
    const SourceManager &sources = Instance->getSourceManager();
    Collector.dropUnused(sources.getSpellingLineNumber(Consumer->Shown),
                         sources.getSpellingColumnNumber(Consumer->Shown));
  }
  cell.parseMicros = watch.lap();
  cell.conflicts = conflicts(code, cell.ok);
  cell.cookie.plain = plain;
  cell.cookie.given = given;
  if (cell.ok)
    emit(takeModule(number), number, cell);
  return cell;
}

std::vector<std::string> Compiler::conflicts(llvm::StringRef code, bool ok) {
  if (!Conflicts)
    return {};
  if (!ok)
    Conflicts->failed(code, Collector.errorFiles());
  return Conflicts->take();
}

bool Compiler::replay(unsigned number, llvm::StringRef code, const Cookie &cookie) {
  setDisplay(cookie.plain, cookie.given);
  MayContinue = MayContinue && parse(number, code, cookie.hidden);
  if (!MayContinue)
    return false;
  takeModule(number);
  if (Conflicts)
    Conflicts->take();
  for (const std::string &symbol : cookie.weakSymbols)
    Known.insert(symbol);
  MayContinue = NumberedNames == cookie.numberedNames;
  return MayContinue;
}

void Compiler::setDisplay(bool plain, bool given) {
  if (!Consumer->Show)
    return;
  Consumer->Show->Plain = plain;
  Consumer->Show->Given = given;
  Consumer->Show->bodies().Giving = given;
  Consumer->Show->bodies().Plain = plain;
}

void Compiler::warmUp() { Emit->warmUp(); }

void Compiler::showElements(int64_t count) {
  if (Consumer->Show)
    Consumer->Show->bodies().Elements = static_cast<unsigned long>(count);
}

std::string Compiler::triple() const { return Instance->getTarget().getTriple().str(); }

} // namespace farside
