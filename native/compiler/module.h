// From the module that Clang's code generator made of a cell to the module that is emitted.
#pragma once

#include "linkage.h"

#include "llvm/IR/Module.h"
#include "llvm/IR/ValueHandle.h"

#include <cstdint>
#include <vector>

namespace farside {

/// Takes Clang's function that calls all initialisers and statements apart, so that each is an
/// entry of its own in `llvm.global_ctors`, in source order.
void separateInitialisers(llvm::Module &module);

/// Keeps the initialisers, and their order, from the optimiser for as long as it lives. To LLVM,
/// entries of one priority have no order: it evaluates one at compile time where it can, with the
/// variables as they are before all the others, and removes it. So for the optimiser there is no
/// list, and the functions are known to others.
class HeldInitialisers {
public:
  explicit HeldInitialisers(llvm::Module &module);
  ~HeldInitialisers();
  HeldInitialisers(const HeldInitialisers &) = delete;
  HeldInitialisers &operator=(const HeldInitialisers &) = delete;

private:
  struct Entry {
    llvm::WeakTrackingVH function;
    llvm::WeakTrackingVH data;
    llvm::Constant *priority;
    llvm::GlobalValue::LinkageTypes linkage;
  };

  llvm::Module &Held;
  llvm::StructType *EntryType = nullptr;
  std::vector<Entry> Entries;
};

/// Drops the initialisers of variables that an earlier cell defined and initialised. Clang's code
/// generator repeats the definition of an internal variable in every module that uses it.
void dropRepeatedInitialisers(llvm::Module &module, const KnownSymbols &known);

/// Has statements and initialisers stay on the call stack while what they call last runs, so that
/// a backtrace tells which line of the cell was reached.
void keepStatementsOnStack(llvm::Module &module);

/// True for what optimising would not pay: a statement or an initialiser without a loop.
bool runsOnce(const llvm::Function &function);

/// True where all functions that are defined are such.
bool runsOnce(const llvm::Module &module);

/// True where the optimiser has no call to inline: nothing in the module refers to a function that
/// it has a body of.
bool hasNothingToInline(const llvm::Module &module);

/// The line of a file that all code of the module comes from; 0 where it comes from several lines
/// or files, and where calls were inlined.
unsigned onlyLine(const llvm::Module &module, llvm::StringRef file);

/// True where even unoptimised code needs passes first: `always_inline` calls, coroutines and the
/// like.
bool needsLowering(const llvm::Module &module);

/// A checksum of the module's symbols that hold the number of an unnamed type, such as `$_3`.
uint64_t numberedNames(const llvm::Module &module);

/// The weak symbols that an object made of the module defines.
std::vector<std::string> weakDefinitions(const llvm::Module &module);

/// True where the object of the module would hold nothing.
bool definesNothing(const llvm::Module &module);

} // namespace farside
