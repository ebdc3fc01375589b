// Instances of the standard library's templates that programs use most; see native/instances.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <vector>

namespace clang {
class FunctionDecl;
}

namespace llvm {
class Module;
}

namespace farside {

/// Source text that makes them, for the precompiled library.
llvm::StringRef commonUses();

/// Leaves to the executor, which brings their code, those that are too large to be inlined:
/// definitions become declarations.
void withdrawInstances(llvm::Module &module);

/// Has Clang's code generator leave instances of the precompiled library to the executor from the
/// start, so that it neither reads their bodies nor those of what only they call.
///
/// They become what `extern template` would have made of them: Clang makes no code of those that
/// may not be inlined. Constructors and destructors have several symbols, not all of which the
/// executor may have; those are left to withdrawInstances, and so is what cells instantiate.
class ForeignInstances {
public:
  /// `symbolOf` is asked for the names of functions that are no constructors or destructors.
  void consider(clang::FunctionDecl &function,
                llvm::function_ref<llvm::StringRef(clang::FunctionDecl &)> symbolOf);

  /// Has `consider` do its work from now on.
  void start() { Wanted = true; }

  /// Undoes what `consider` did, and has it do nothing from now on. The code generator has to be
  /// given the functions returned once more: it forgets those whose code it was not to make.
  std::vector<clang::FunctionDecl *> stop();

private:
  bool Wanted = false;
  std::vector<clang::FunctionDecl *> Marked;
};

/// Tells whether a module defines functions that allocate in place of the library's. The executor's
/// instances would go on using those.
bool replacesAllocation(const llvm::Module &module);

} // namespace farside
