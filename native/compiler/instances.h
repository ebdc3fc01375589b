// Instances of the standard library's templates that programs use most; see native/instances.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace llvm {
class Module;
}

namespace farside {

/// Source text that makes them, for the precompiled library.
llvm::StringRef commonUses();

/// Leaves to the executor, which brings their code, those that are too large to be inlined:
/// definitions become declarations.
void withdrawInstances(llvm::Module &module);

/// Tells whether a module defines functions that allocate in place of the library's. The executor's
/// instances would go on using those.
bool replacesAllocation(const llvm::Module &module);

} // namespace farside
