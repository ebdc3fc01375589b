// Which names a cell declared.
#pragma once

#include "clang/AST/DeclGroup.h"
#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/JSON.h"

#include <memory>
#include <string>

namespace clang {
class ASTContext;
class Decl;
class NamedDecl;
class PPCallbacks;
class SourceManager;
} // namespace clang

namespace farside {

/// Appends an entry for each user-visible name that `decls` declare at namespace scope in the text
/// of `file`, in source order. `symbolOf` gives the mangled name of a variable or function.
void appendDeclared(llvm::json::Array &declared, const clang::ASTContext &context,
                    clang::DeclGroupRef decls, clang::FileID file,
                    llvm::function_ref<std::string(const clang::NamedDecl &)> symbolOf);

/// Appends an entry for each macro that the text of `file` defines, from now on. All three are
/// looked at when a macro is defined, so they may change until then.
std::unique_ptr<clang::PPCallbacks> listMacros(llvm::json::Array &declared,
                                               const clang::SourceManager &sources,
                                               const clang::FileID &file);

/// Calls `visit` for every named declaration at translation-unit scope below `decls`; those in
/// `extern "C"` and unnamed enumerations count as being there.
void forEachGlobalName(clang::DeclGroupRef decls,
                       llvm::function_ref<void(const clang::NamedDecl &)> visit);

} // namespace farside
