// Instances of the standard library's templates that programs use most; see native/instances.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <vector>

namespace clang {
class Decl;
class FunctionDecl;
} // namespace clang

namespace llvm {
class Module;
}

namespace farside {

/// Source text that makes them, for the precompiled library.
llvm::StringRef commonUses();

/// Leaves instances to the executor, which brings their code: definitions become declarations.
/// Those that are too large to be inlined always; small ones where only code that runs once refers
/// to them, as there they are not worth inlining, and with `all` wherever they are.
void withdrawInstances(llvm::Module &module, bool all);

/// Has Clang's code generator leave instances of the precompiled library to the executor from the
/// start, so that it neither reads their bodies nor those of what only they call.
///
/// They become what `extern template` would have made of them: Clang makes no code of those that
/// may not be inlined. What this misses is left to withdrawInstances.
class ForeignInstances {
public:
  /// Leaves a large instance for good. Constructors and destructors have several symbols, not all
  /// of which the executor may have; those are not considered, and `symbolOf` not asked for their
  /// names.
  void consider(clang::FunctionDecl &function,
                llvm::function_ref<llvm::StringRef(clang::FunctionDecl &)> symbolOf);

  /// Leaves small instances until `takeBack`, too, if the code of the cell that has been made so
  /// far runs once, and refers to none that is still to be made but instances. `all`: in any case.
  /// `declarationOf` is asked for what a symbol of the module stands for.
  void leaveSmall(const llvm::Module &module, bool all,
                  llvm::function_ref<const clang::Decl *(llvm::StringRef)> declarationOf);

  /// Undoes `leaveSmall`. The code generator has to be given the functions returned once more, when
  /// it has the next module, as after `stop`.
  std::vector<clang::FunctionDecl *> takeBack();

  /// Has `consider` and `leaveSmall` do their work from now on.
  void start() { Wanted = true; }

  /// Undoes what `consider` did, and has both do nothing from now on. The code generator has to be
  /// given the functions returned once more: it forgets those whose code it was not to make.
  std::vector<clang::FunctionDecl *> stop();

private:
  bool Wanted = false;
  std::vector<clang::FunctionDecl *> Marked;
  std::vector<clang::FunctionDecl *> Left;     // for the present cell, instances as these
  std::vector<clang::FunctionDecl *> External; // the library's, which have code there anyway
};

/// Tells whether a module defines functions that allocate in place of the library's. The executor's
/// instances would go on using those.
bool replacesAllocation(const llvm::Module &module);

} // namespace farside
