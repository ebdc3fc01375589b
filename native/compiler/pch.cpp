#include "pch.h"

#include "diagnostics.h"
#include "instances.h"
#include "invocation.h"
#include "pch_content.h"
#include "pch_inputs.h"
#include "pch_names.h"
#include "wire.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclCXX.h"
#include "clang/Basic/FileManager.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendActions.h"
#include "clang/Frontend/MultiplexConsumer.h"
#include "clang/Lex/HeaderSearch.h"
#include "clang/Lex/PPCallbacks.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "clang/Sema/Sema.h"
#include "clang/Sema/SemaConsumer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace farside {

using namespace clang;

namespace {

// Those that programs use most. What a library lacks is left out by __has_include.
constexpr const char *CxxHeaders[] = {
    "algorithm",     "array",         "atomic",      "bitset",
    "chrono",        "cmath",         "cstdint",     "cstdio",
    "cstdlib",       "cstring",       "deque",       "exception",
    "fstream",       "functional",    "future",      "initializer_list",
    "iomanip",       "ios",           "iostream",    "iterator",
    "limits",        "list",          "map",         "memory",
    "mutex",         "numeric",       "optional",    "queue",
    "random",        "ranges",        "set",         "sstream",
    "stack",         "stdexcept",     "string",      "string_view",
    "thread",        "tuple",         "type_traits", "typeinfo",
    "unordered_map", "unordered_set", "utility",     "variant",
    "vector"};

constexpr const char *CHeaders[] = {"assert.h", "ctype.h", "errno.h",  "float.h",   "inttypes.h",
                                    "limits.h", "math.h",  "signal.h", "stdbool.h", "stddef.h",
                                    "stdint.h", "stdio.h", "stdlib.h", "string.h",  "time.h"};

std::string headerText(bool cxx) {
  std::string text = "#pragma once\n";
  auto add = [&](const char *header) {
    std::string name = std::string("<") + header + ">";
    text += "#if __has_include(" + name + ")\n#include " + name + "\n#endif\n";
  };
  if (cxx) {
    llvm::for_each(CxxHeaders, add);
    text += commonUses(); // a cell finds their instances made, not to be made
  } else {
    llvm::for_each(CHeaders, add);
  }
  return text;
}

std::string fileOf(const SourceManager &sources, SourceLocation where) {
  return sources.getFilename(sources.getFileLoc(where)).str();
}

/// The directories in which headers are looked for, in order; those that are missing come first,
/// as they may be anywhere in it once they are made.
std::vector<std::string> searchDirectories(const Preprocessor &preprocessor) {
  const HeaderSearch &search = preprocessor.getHeaderSearchInfo();
  std::vector<std::string> directories;
  for (const auto &entry : search.getHeaderSearchOpts().UserEntries)
    if (!llvm::sys::fs::exists(entry.Path))
      directories.push_back(entry.Path);
  for (const DirectoryLookup &directory : search.search_dir_range())
    directories.push_back(directory.getName().str());
  return directories;
}

/// Records includes and macros as the preprocessor meets them.
class IncludeRecorder : public PPCallbacks {
public:
  IncludeRecorder(PchNamesWriter &names, PchInputs &inputs, const Preprocessor &preprocessor,
                  std::string mainFile)
      : Names(names), Inputs(inputs), Sources(preprocessor.getSourceManager()),
        Directories(searchDirectories(preprocessor)), MainFile(std::move(mainFile)) {}

  void HasInclude(SourceLocation where, llvm::StringRef name, bool angled,
                  OptionalFileEntryRef file, SrcMgr::CharacteristicKind) override {
    looked(where, name, angled, file);
  }

  void InclusionDirective(SourceLocation hash, const Token &, llvm::StringRef name, bool angled,
                          CharSourceRange, OptionalFileEntryRef file, llvm::StringRef,
                          llvm::StringRef, const Module *, bool,
                          SrcMgr::CharacteristicKind) override {
    looked(hash, name, angled, file);
    if (!file)
      return;
    std::string includer = fileOf(Sources, hash);
    Names.addInclude(includer == MainFile ? "" : includer, file->getName());
  }

  void MacroDefined(const Token &name, const MacroDirective *) override {
    std::string file = fileOf(Sources, name.getLocation());
    if (!file.empty() && file != MainFile && !Sources.isWrittenInBuiltinFile(name.getLocation()) &&
        !Sources.isWrittenInCommandLineFile(name.getLocation()))
      Names.addName(PchNames::macro, name.getIdentifierInfo()->getName(), file);
  }

  void Ifdef(SourceLocation where, const Token &name, const MacroDefinition &) override {
    tested(where, name);
  }
  void Ifndef(SourceLocation where, const Token &name, const MacroDefinition &) override {
    tested(where, name);
  }
  void Defined(const Token &name, const MacroDefinition &, SourceRange) override {
    tested(name.getLocation(), name);
  }

private:
  /// A file was looked for, up to the place where it was found.
  void looked(SourceLocation where, llvm::StringRef name, bool angled, OptionalFileEntryRef file) {
    if (file)
      Inputs.addFile(file->getName(), file->getSize(), file->getModificationTime());
    auto foundIn = [&](llvm::StringRef directory) {
      llvm::SmallString<256> path(directory);
      llvm::sys::path::append(path, name);
      if (file && file->getName() == path)
        return true;
      Inputs.addAbsent(path);
      return false;
    };
    if (!angled && foundIn(llvm::sys::path::parent_path(fileOf(Sources, where))))
      return;
    (void)llvm::any_of(Directories, foundIn);
  }

  /// A header may read differently where the user defines this macro before including it.
  void tested(SourceLocation where, const Token &name) {
    std::string file = fileOf(Sources, where);
    if (!file.empty() && file != MainFile && name.getIdentifierInfo())
      Names.addName(PchNames::tested, name.getIdentifierInfo()->getName(), file);
  }

  PchNamesWriter &Names;
  PchInputs &Inputs;
  const SourceManager &Sources;
  const std::vector<std::string> Directories;
  std::string MainFile;
};

/// Records the names of the global namespace and of std once the header has been parsed.
class NameRecorder : public ASTConsumer {
public:
  explicit NameRecorder(PchNamesWriter &names) : Names(names) {}

  void HandleTranslationUnit(ASTContext &context) override {
    Sources = &context.getSourceManager();
    visit(*context.getTranslationUnitDecl(), PchNames::global);
  }

private:
  void visit(const DeclContext &scope, PchNames::Scope kind) {
    for (const Decl *decl : scope.decls()) {
      add(*decl, kind);
      if (isa<LinkageSpecDecl, ExportDecl>(decl))
        visit(*cast<DeclContext>(decl), kind);
      if (const auto *enumeration = dyn_cast<EnumDecl>(decl);
          enumeration && !enumeration->isScoped())
        visit(*enumeration, kind);
      if (const auto *space = dyn_cast<NamespaceDecl>(decl)) {
        if (kind == PchNames::global && space->isStdNamespace())
          visit(*space, PchNames::standard);
        else if (kind == PchNames::standard && space->isInline())
          visit(*space, kind);
      }
    }
  }

  void add(const Decl &decl, PchNames::Scope kind) {
    const auto *named = dyn_cast<NamedDecl>(&decl);
    if (!named || !named->getIdentifier() || isa<NamespaceDecl>(decl) || decl.isImplicit())
      return;
    llvm::StringRef name = named->getName();
    if (name.empty() || name.starts_with("__"))
      return;
    std::string file = fileOf(*Sources, decl.getLocation());
    if (!file.empty())
      Names.addName(kind, name, file);
  }

  PchNamesWriter &Names;
  const SourceManager *Sources = nullptr;
};

/// Does what Clang leaves to each translation unit that reads the PCH: at the end of its first
/// input it would read all constructors that delegate, and all classes whose tables of virtual
/// functions are used, a quarter of a start.
class UnitFinisher : public SemaConsumer {
public:
  void InitializeSema(Sema &sema) override { Owner = &sema; }
  void ForgetSema() override { Owner = nullptr; }

  bool HandleTopLevelDecl(DeclGroupRef) override {
    Outermost = Owner->TUScope;
    return true;
  }

  void HandleTranslationUnit(ASTContext &) override {
    // Sema has forgotten it by now, but may want to declare builtins there; it is the parser's,
    // which still exists.
    Scope *forgotten = std::exchange(Owner->TUScope, Outermost);
    Owner->CheckDelegatingCtorCycles();
    auto &delegating = Owner->DelegatingCtorDecls;
    delegating.erase(delegating.begin(nullptr, /*LocalOnly=*/true), delegating.end());
    // Each may bring more of the other.
    while (Owner->DefineUsedVTables())
      Owner->PerformPendingInstantiations();
    Owner->TUScope = forgotten;
  }

private:
  Sema *Owner = nullptr;
  Scope *Outermost = nullptr; // of the translation unit
};

class PchAction : public GeneratePCHAction {
public:
  PchAction(PchNamesWriter &names, PchInputs &inputs) : Names(names), Inputs(inputs) {}

protected:
  std::unique_ptr<ASTConsumer> CreateASTConsumer(CompilerInstance &instance,
                                                 llvm::StringRef file) override {
    instance.getPreprocessor().addPPCallbacks(
        std::make_unique<IncludeRecorder>(Names, Inputs, instance.getPreprocessor(), file.str()));
    std::vector<std::unique_ptr<ASTConsumer>> consumers;
    consumers.push_back(std::make_unique<NameRecorder>(Names));
    consumers.push_back(std::make_unique<UnitFinisher>());
    auto own = GeneratePCHAction::CreateASTConsumer(instance, file);
    if (!own)
      return nullptr;
    consumers.push_back(std::move(own));
    return std::make_unique<MultiplexConsumer>(std::move(consumers));
  }

private:
  PchNamesWriter &Names;
  PchInputs &Inputs;
};

int fail(llvm::StringRef reason) {
  llvm::errs() << "farside-compiler: " << reason << "\n";
  return 1;
}

bool holds(const std::string &path, llvm::StringRef bytes) {
  auto present = llvm::MemoryBuffer::getFile(path);
  return present && (*present)->getBuffer() == bytes;
}

bool writeFile(const std::string &path, llvm::StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  if (error)
    return false;
  out << bytes;
  out.close();
  bool good = !out.has_error();
  out.clear_error();
  return good;
}

/// Longer than any build takes; a build must not outlive everything for ever.
constexpr unsigned MaxSeconds = 300;

/// The lock and the temporary files of a build. The files do not outlive it, however it ends; the
/// lock's file stays, or two builds could hold the lock on two files of that name.
class Workshop {
public:
  explicit Workshop(const std::string &output)
      : Names(output + ".names.tmp"), Pch(output + ".tmp"), Lock(output + ".lock") {}
  Workshop(const Workshop &) = delete;
  Workshop &operator=(const Workshop &) = delete;
  ~Workshop() {
    if (Active == this)
      removeLeftovers();
  }

  /// False where another process is building the same PCH.
  bool enter() {
    Held = Descriptor(::open(Lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!Held || ::flock(Held.get(), LOCK_EX | LOCK_NB) != 0)
      return false;
    Active = this;
    removeLeftovers();
    for (int ending : {SIGALRM, SIGTERM, SIGINT, SIGHUP, SIGXCPU})
      ::signal(ending, onEnd);
    ::alarm(MaxSeconds);
    return true;
  }

  const std::string Names;
  const std::string Pch;

private:
  /// A builder that was killed leaves its files, and Clang its own where the disk is full. These
  /// have a random part in their names: for x.pch.tmp it is x.pch-12345678.tmp.tmp.
  void removeLeftovers() const {
    namespace path = llvm::sys::path;
    cleanUp();
    std::string start = path::stem(Pch).str() + "-";
    std::error_code error;
    std::string directory = path::parent_path(Pch).str();
    for (llvm::sys::fs::directory_iterator file(directory.empty() ? "." : directory, error), end;
         !error && file != end; file.increment(error)) {
      llvm::StringRef name = path::filename(file->path());
      if (name.starts_with(start) && name.ends_with(".tmp.tmp"))
        ::unlink(file->path().c_str());
    }
  }

  void cleanUp() const {
    ::unlink(Names.c_str());
    ::unlink(Pch.c_str());
  }

  static void onEnd(int) {
    Active->cleanUp();
    _exit(1);
  }

  static inline const Workshop *Active = nullptr;
  const std::string Lock;
  Descriptor Held;
};

} // namespace

int buildPch(const std::string &output, const std::vector<std::string> &args) {
  DiagnosticOptions options;
  DiagnosticCollector collector(options);
  auto invocation = makeInvocation(args, options, collector);
  if (!invocation)
    return fail(collector.firstError());
  Workshop workshop(output);
  if (!workshop.enter())
    return fail("another process is building " + output);
  // Somebody else may have built it since it was found missing or stale.
  uint64_t fingerprint = headerFingerprint(invocation->getHeaderSearchOpts());
  if (PchNames::load(output, fingerprint))
    return 0;

  bool cxx = invocation->getLangOpts().CPlusPlus;
  invocation->getLangOpts().PCHInstantiateTemplates = true;
  // The user's own includes belong to the session, not to what sessions share.
  invocation->getPreprocessorOpts().Includes.clear();
  FrontendOptions &frontend = invocation->getFrontendOpts();
  // Left alone if it is right: compilers that use the former PCH would find it changed.
  std::string header = output + ".hpp";
  if (!holds(header, headerText(cxx)) && !writeFile(header, headerText(cxx)))
    return fail("cannot write " + header);
  InputKind kind(cxx ? Language::CXX : Language::C, InputKind::Source, false,
                 InputKind::HeaderUnit_None, true);
  frontend.Inputs = {FrontendInputFile(header, kind)};
  frontend.OutputFile = workshop.Pch;
  frontend.ProgramAction = frontend::GeneratePCH;

  CompilerInstance instance(invocation);
  instance.createVirtualFileSystem();
  instance.createDiagnostics(&collector, false);
  PchNamesWriter names;
  PchInputs inputs;
  PchAction action(names, inputs);
  if (!instance.ExecuteAction(action) || instance.getDiagnostics().hasErrorOccurred())
    return fail(collector.firstError());
  auto bytes = llvm::MemoryBuffer::getFile(workshop.Pch, false, false);
  if (!bytes)
    return fail("cannot read " + workshop.Pch);
  PchContent content = PchContent::of((*bytes)->getBuffer());
  if (!writeFile(workshop.Names, names.text(content, fingerprint, inputs)))
    return fail("cannot write " + workshop.Names);
  // The names first: a PCH whose names do not match its bytes counts as missing.
  if (::rename(workshop.Names.c_str(), (output + ".names").c_str()) != 0 ||
      ::rename(workshop.Pch.c_str(), output.c_str()) != 0)
    return fail("cannot write " + output);
  // So that the first session need not read all of it. Nobody waits for this process.
  std::this_thread::sleep_for(std::chrono::milliseconds(SettledAfter + 10));
  isWhole(output, content);
  return 0;
}

} // namespace farside
