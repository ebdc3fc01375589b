#include "invocation.h"

#include "clang/Basic/DiagnosticFrontend.h"
#include "clang/Driver/CreateInvocationFromArgs.h"
#include "clang/Frontend/CompilerInstance.h"
#include "llvm/Support/VirtualFileSystem.h"

namespace farside {

namespace {

bool anyStartsWith(const std::vector<std::string> &args, llvm::StringRef prefix) {
  return llvm::any_of(args, [&](llvm::StringRef arg) { return arg.starts_with(prefix); });
}

/// The language that the last `-x` names; C++ unless told otherwise.
bool isCxx(const std::vector<std::string> &args) {
  bool cxx = true;
  for (size_t i = 0; i < args.size(); ++i) {
    llvm::StringRef arg = args[i];
    if (!arg.consume_front("-x"))
      continue;
    llvm::StringRef language = arg.empty() && i + 1 < args.size() ? args[i + 1] : arg;
    cxx = language.starts_with("c++");
  }
  return cxx;
}

std::vector<std::string> driverArguments(const std::vector<std::string> &args) {
  bool cxx = isCxx(args);
  std::vector<std::string> all{FARSIDE_CLANG, cxx ? "-xc++" : "-xc",
                               "-Wno-unused-command-line-argument"};
  if (cxx && !anyStartsWith(args, "-std=") && !anyStartsWith(args, "--std"))
    all.push_back("-std=c++23");
  if (!anyStartsWith(args, "-march=") && !anyStartsWith(args, "--target=") &&
      !anyStartsWith(args, "-target"))
    all.push_back("-march=native");
  // Sema reads the precompiled header's records for this warning again at the end of every cell,
  // which would make the time of a cell grow with their number.
  all.push_back("-Wno-mismatched-new-delete");
  all.insert(all.end(), args.begin(), args.end());
  // An object that may lie anywhere must not depend on where.
  all.insert(all.end(), {"-fPIC", "cells"});
  return all;
}

void settle(clang::CompilerInvocation &invocation) {
  clang::LangOptions &language = invocation.getLangOpts();
  language.IncrementalExtensions = true;
  clang::CodeGenOptions &codegen = invocation.getCodeGenOpts();
  codegen.ClearASTBeforeBackend = false;
  codegen.CodeModel = "small";
  invocation.getFrontendOpts().DisableFree = true;
}

/// Refuses the sanitizers whose run-time library must be in a program from its start.
void refuseRuntimes(const clang::SanitizerSet &sanitize, clang::DiagnosticsEngine &engine) {
  using Kind = clang::SanitizerKind;
  const std::pair<clang::SanitizerMask, llvm::StringRef> refused[] = {
      {Kind::Address, "address"}, {Kind::HWAddress, "hwaddress"}, {Kind::Thread, "thread"},
      {Kind::Memory, "memory"},   {Kind::Leak, "leak"},           {Kind::DataFlow, "dataflow"}};
  unsigned message = engine.getCustomDiagID(
      clang::DiagnosticsEngine::Error,
      "cells cannot be compiled with -fsanitize=%0: the process that runs them was started without "
      "its run-time library (-fsanitize=undefined -fsanitize-trap=undefined needs none)");
  for (const auto &[kind, name] : refused)
    if (sanitize.has(kind))
      engine.Report(message) << name;
}

} // namespace

std::shared_ptr<clang::CompilerInvocation> makeInvocation(const std::vector<std::string> &args,
                                                          clang::DiagnosticOptions &options,
                                                          DiagnosticCollector &collector) {
  auto vfs = llvm::vfs::getRealFileSystem();
  auto engine = clang::CompilerInstance::createDiagnostics(*vfs, options, &collector,
                                                           /*ShouldOwnClient=*/false);
  std::vector<std::string> all = driverArguments(args);
  std::vector<const char *> pointers;
  for (const std::string &arg : all)
    pointers.push_back(arg.c_str());
  clang::CreateInvocationOptions how;
  how.Diags = engine;
  how.VFS = vfs;
  std::shared_ptr<clang::CompilerInvocation> invocation = clang::createInvocation(pointers, how);
  if (!invocation || engine->hasErrorOccurred())
    return nullptr;
  refuseRuntimes(invocation->getLangOpts().Sanitize, *engine);
  if (engine->hasErrorOccurred())
    return nullptr;
  settle(*invocation);
  return invocation;
}

} // namespace farside
