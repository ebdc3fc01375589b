#include "compiler.h"

#include "call_check.h"
#include "cell_consumer.h"
#include "cell_parser.h"
#include "conflicts.h"
#include "declared.h"
#include "file_pragmas.h"
#include "module.h"
#include "own_headers.h"
#include "shown_header.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclGroup.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/TargetInfo.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Sema.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/MC/TargetRegistry.h"

#include <chrono>
#include <utility>

namespace farside {

using namespace clang;

namespace {

constexpr unsigned ModulesOfAContext = 16;

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

} // namespace

/// Gives the main file, which is empty, an entry among the files: where sanitizers are on, Clang
/// asks for its name at every function, and crashes where there is none.
static void nameMainFile(CompilerInstance &instance) {
  SourceManager &sources = instance.getSourceManager();
  FileEntryRef entry = instance.getFileManager().getVirtualFileRef("start", 0, 0);
  sources.overrideFileContents(entry, llvm::MemoryBuffer::getMemBuffer("", "start"));
  sources.setMainFileID(sources.createFileID(entry, SourceLocation(), SrcMgr::C_User));
}

/// Declares the namespace of the names that every session knows. For a name that it does not know
/// Clang suggests others like it, from all namespaces whose first declaration it parsed itself;
/// these are not meant for anybody to use.
static void declareOwnNamespace(ASTContext &context) {
  TranslationUnitDecl *unit = context.getTranslationUnitDecl();
  unit->addDecl(NamespaceDecl::Create(context, unit, /*Inline=*/false, {}, {},
                                      &context.Idents.get("__farside"), nullptr, /*Nested=*/false));
}

Compiler::Compiler(std::shared_ptr<CompilerInvocation> invocation, DiagnosticCollector &collector)
    : Collector(collector), Instance(std::make_unique<CompilerInstance>(std::move(invocation))),
      Action(std::make_unique<CellAction>(*Context, Redefined)) {}

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

/// Tells whether code can be made for the target. Clang knows more targets than LLVM was built, or
/// linked, for.
bool Compiler::canEmit() {
  const llvm::Triple &triple = Instance->getTarget().getTriple();
  std::string error;
  if (llvm::TargetRegistry::lookupTarget(triple, error))
    return true;
  DiagnosticsEngine &engine = Instance->getDiagnostics();
  engine.Report(engine.getCustomDiagID(DiagnosticsEngine::Error, "cells cannot be compiled for %0"))
      << triple.str();
  return false;
}

bool Compiler::start(CompilerSettings settings, std::unique_ptr<PchNames> pchNames) {
  Instance->createVirtualFileSystem();
  Instance->createDiagnostics(&Collector, /*ShouldOwnClient=*/false);
  if (!Instance->createTarget() || !canEmit())
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
  if (pchNames) {
    auto watch = std::make_unique<ConflictWatch>(std::move(pchNames), Instance->getSourceManager(),
                                                 Instance->getLangOpts());
    Consumer->Conflicts = Conflicts = watch.get();
    preprocessor.addPPCallbacks(std::move(watch));
  }
  Parse = std::make_unique<CellParser>(*Instance);
  preprocessor.addPPCallbacks(
      listMacros(Consumer->Declared, Instance->getSourceManager(), Consumer->File));
  installFilePragmas(preprocessor);
  protectOwnHeaders(preprocessor);
  preprocessor.EnterMainSourceFile();
  Instance->createSema(TU_Incremental, nullptr);
  if (settings.redefinition) {
    Instance->getDiagnostics().setSeverity(diag::ext_pp_macro_redef, diag::Severity::Ignored, {});
    Collector.OnEarlier = [this](unsigned error, SourceLocation at, SourceLocation earlier,
                                 const SourceManager &sources) {
      Redefined.clashes().note(error, at, earlier, sources);
    };
    Collector.OnSpecialised = [this](const NamedDecl &made, SourceLocation at) {
      Redefined.clashes().noteInstance(made, at);
    };
  }
  Collector.OnSaid = [this](const Diagnostic &said) { Amended.note(said); };
  Redefined.begin(Instance->getSema(), 0, {}, {});
  Parse->initialize();
  if (ExternalASTSource *external = Instance->getASTContext().getExternalSource())
    external->StartTranslationUnit(Consumer);
  Emit = std::make_unique<Emitter>(*Instance);
  reportBackendErrors(*Context, Instance->getDiagnostics());
  // What `-include` brings is parsed now; its code comes out with that of the first cell.
  Sema::GlobalEagerInstantiationScope global(Instance->getSema(), true, true);
  Sema::LocalEagerInstantiationScope local(Instance->getSema(), true);
  MayContinue = parseInput(/*first=*/true) && parseShownHeader();
  local.perform();
  global.perform();
  Instances = settings.instances;
  if (Instances)
    Consumer->Foreign.start();
  if (settings.showValues) {
    Consumer->Show = new Display(Instance->getSema()); // lives as long as the process
    Collector.InShown = [this] { return Parse->inShown(); };
  }
  return MayContinue && !Instance->getDiagnostics().hasErrorOccurred();
}

/// Parses what the display of values declares. It is a file of its own: for each module Clang makes
/// a checksum of the main file, which would take a sixth of the time of a small cell.
bool Compiler::parseShownHeader() {
  HiddenMacros hidden(Instance->getPreprocessor()); // of the command line
  SourceManager &sources = Instance->getSourceManager();
  llvm::StringRef text = shownHeader(Instance->getLangOpts().CPlusPlus);
  SourceLocation from = sources.getLocForStartOfFile(sources.getMainFileID());
  if (Instance->getLangOpts().CPlusPlus)
    declareOwnNamespace(Instance->getASTContext());
  FileID file = sources.createFileID(llvm::MemoryBuffer::getMemBuffer(text, OwnHeaderName),
                                     SrcMgr::C_System, 0, 0, from);
  return Parse->enter(file, text.size()) && parseInput();
}

/// Parses up to the end of the input that was entered last. False after an error.
bool Compiler::parseInput(bool first) {
  auto handle = [this](DeclGroupRef decls) {
    Consumer->declare(decls);
    // Before the end of the cell, where Clang misses what is not defined.
    return Consumer->Number == 0 || !isa<TopLevelStmtDecl>(*decls.begin()) || completeDisplay();
  };
  return Parse->parse(handle, first);
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
  Amended.begin(sema, file);
  Sema::GlobalEagerInstantiationScope global(sema, true, true);
  Sema::LocalEagerInstantiationScope local(sema, true);
  bool ok = Parse->enter(file, code.size()) && parseInput();
  if (ok) {
    for (Decl *weak : sema.WeakTopLevelDecls())
      Consumer->declare(DeclGroupRef(weak));
  }
  ok = ok && completeDisplay();
  local.perform();
  global.perform();
  ok = ok && !Instance->getDiagnostics().hasErrorOccurred();
  if (ok && Consumer->Stub)
    checkWay(*Consumer->Stub, Instance->getDiagnostics());
  if (ok) {
    Redefined.end();
    Consumer->handOver();
    repeatKnown();
  }
  if (ok)
    Consumer->HandleTranslationUnit(Instance->getASTContext());
  return ok && !Instance->getDiagnostics().hasErrorOccurred();
}

/// Has code made of the inline and internal functions that the cell defines again and of which an
/// earlier cell has made code, whether the cell uses them or not: callers come to this code, and to
/// the linker no later cell's would take the place of the old. Of others, such as a `weak` one,
/// there is code anyway.
void Compiler::repeatKnown() {
  for (FunctionDecl *function : Redefined.sameFunctions())
    if (!Instance->getASTContext().DeclMustBeEmitted(function) &&
        (Redefined.becameInline(*function) ||
         llvm::any_of(Consumer->symbolsOf(*function),
                      [&](const std::string &symbol) { return Known.contains(symbol); })))
      Consumer->addUsed(*function);
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
  Consumer->Show->bodies().complete([this](FunctionDecl *made) { Consumer->addFunction(*made); });
  Collector.dropFrom(before);
  DisplayFailed = Instance->getDiagnostics().hasErrorOccurred();
  return !DisplayFailed;
}

void Compiler::prepare() {
  if (NextModule == 0)
    return;
  std::unique_ptr<llvm::LLVMContext> former;
  if (++Modules % ModulesOfAContext == 0) {
    former = std::exchange(Context, std::make_unique<llvm::LLVMContext>());
    Context->setDiscardValueNames(former->shouldDiscardValueNames()); // as Clang had it
    reportBackendErrors(*Context, Instance->getDiagnostics());
  }
  // Lets go of the former's metadata, which ends after this.
  Consumer->generator().StartModule("cell " + std::to_string(NextModule), *Context);
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
  for (const FunctionDecl *function : Redefined.sameFunctions()) {
    std::vector<std::string> symbols = Consumer->symbolsOf(*function);
    if (symbols.size() > 1 && Redefined.becameInline(*function))
      offerComplete(m, symbols[0], symbols[1]);
    llvm::append_range(cell.redefined, symbols);
  }
  for (const std::string &symbol : cell.redefined) {
    Known.erase(symbol);
    keepWeak(m, symbol);
  }
  for (const FunctionDecl *function : Redefined.definedOnce())
    for (const std::string &symbol : Consumer->symbolsOf(*function))
      withdrawFunction(m, symbol);
  dropRepeatedInitialisers(m, Known);
  if (Instances)
    withdrawInstances(m, level == 0);
  withdrawKnown(m, Known, level == 0 ? KnownBodies::drop : KnownBodies::inline_);
  dropUnused(m); // what only a display needs that an earlier cell has made
  if (level == 0 || runsOnce(m)) {
    level = 0;
    dropInlineBodies(m);
    dropUnused(m);
    dropOnlyLine(m, number, cell);
  } else if (hasNothingToInline(m)) {
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
                       bool plain, bool given, bool all) {
  Cell cell;
  Stopwatch watch;
  setDisplay(plain, given, all);
  auto isHidden = [&hidden](const DeclarationId &id) { return llvm::is_contained(hidden, id); };
  cell.ok = MayContinue && parse(number, code, hidden);
  MayContinue = cell.ok;
  cell.displayFailed = DisplayFailed;
  // Without what it defines again the cell may need its macros.
  if (!cell.ok && !DisplayFailed && Collector.OnEarlier && llvm::all_of(clashes(), isHidden))
    Redefined.clashes().noteMacros();
  cell.clashes = clashes();
  if (!cell.ok)
    cell.amendments = amendments();
  cell.cookie.hidden = std::move(hidden);
  cell.declared = std::move(Consumer->Declared);
  cell.value = std::move(Consumer->Value);
  cell.values = std::move(Consumer->Values);
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
  if (!ok && Collector.headerChanged())
    return {"a header that has changed"};
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

void Compiler::setDisplay(bool plain, bool given, bool all) {
  if (!Consumer->Show)
    return;
  Consumer->Show->Plain = plain;
  Consumer->Show->Given = given;
  Consumer->Show->All = all;
  Consumer->Show->bodies().Giving = given;
  Consumer->Show->bodies().Plain = plain;
}

void Compiler::warmUp() { Emit->warmUp(); }

void Compiler::practise() { Emit->practise(*Context); }

void Compiler::showElements(int64_t count) {
  if (Consumer->Show)
    Consumer->Show->bodies().Elements = static_cast<unsigned long>(count);
}

std::string Compiler::triple() const { return Instance->getTarget().getTriple().str(); }

} // namespace farside
