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
  settle(*invocation);
  return invocation;
}

} // namespace farside
