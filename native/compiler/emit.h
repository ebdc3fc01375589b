// From a module to an object file.
#pragma once

#include "clang/Frontend/CompilerInstance.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace farside {

/// One code generator for a level of optimisation, set up once and used for every module.
///
/// Setting the passes up costs several times what a trivial cell costs to emit. Used again, they
/// give the same bytes as fresh ones.
class ObjectWriter {
public:
  ObjectWriter(const clang::CompilerInstance &instance, llvm::StringRef features, unsigned level);
  ~ObjectWriter();

  llvm::StringRef write(llvm::Module &module);

  llvm::TargetMachine &machine() { return *Machine; }

private:
  // The stream keeps a reference to the buffer, the passes one to the stream.
  llvm::SmallVector<char, 0> Buffer;
  llvm::raw_svector_ostream Stream;
  std::unique_ptr<llvm::TargetMachine> Machine;
  llvm::legacy::PassManager Passes;
};

/// Has what LLVM rejects when it makes code reported as Clang's own errors are.
void reportBackendErrors(llvm::LLVMContext &context, clang::DiagnosticsEngine &engine);

/// Optimises and emits modules as the user's options say.
class Emitter {
public:
  /// Takes the processor's features out of the instance's options. Clang's code generator would
  /// copy, sort and join them for each function that it declares, a seventh of a cell that uses the
  /// standard library. Functions without that attribute have the target machine's features, which
  /// are the same; `__attribute__((target))` goes by the features as written.
  explicit Emitter(clang::CompilerInstance &instance);

  unsigned level() const { return Level; }

  /// Runs every pass that `clang` would run for these options.
  ///
  /// Clang makes a new target machine for each module, and with it what LLVM knows of the
  /// processor: six tenths of the instructions that optimising a small function takes. So the
  /// pipeline that `clang` runs for ordinary options is run here, on the machine that also emits.
  /// Options that add passes (sanitizers, profiles, coverage, plug-ins and the like) are left to
  /// Clang.
  void optimise(llvm::Module &module, unsigned level);

  /// The object's bytes, which stay valid until the next call.
  llvm::StringRef write(llvm::Module &module, unsigned level);

  /// Sets up what the first cell would otherwise wait for.
  void warmUp();

  /// Emits a small module that nobody asked for, which writes to the pages that the next cell
  /// writes to. After a fork each of them is copied once, better so before a cell waits for it.
  void practise(llvm::LLVMContext &context);

private:
  ObjectWriter &writer(unsigned level);

  clang::CompilerInstance &Instance;
  std::vector<std::string> Features;
  unsigned Level;
  std::array<std::unique_ptr<ObjectWriter>, 4> Writers;
};

} // namespace farside
