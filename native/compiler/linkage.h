// Which symbols a cell's object defines, and which it takes from earlier cells.
#pragma once

#include "llvm/ADT/StringSet.h"

#include <string>

namespace llvm {
class GlobalValue;
class Module;
} // namespace llvm

namespace farside {

/// The weak symbols that the objects of the accepted cells define.
using KnownSymbols = llvm::StringSet<>;

/// What becomes of a definition that an earlier cell gave already.
enum class KnownBodies {
  drop,   ///< a declaration is left: nothing will be optimised
  inline_ ///< the optimiser may still look into it
};

/// Makes the names with internal linkage that later cells can mean into symbols that all objects
/// share: `linkonce_odr` for functions, `weak_odr` for variables, each a COMDAT of its own.
/// `cell` sets apart what cannot be meant again but must not be local, such as TLS guards.
void promoteInternals(llvm::Module &module, unsigned cell);

/// The symbol that an internal entity of this name is given. A plain name (all names of C, and
/// variables of C++ whose type has no name) would be seen by libraries that mean their own.
std::string sharedName(llvm::StringRef name);

/// Turns weak definitions that are known into declarations, or into `available_externally`; those
/// of functions that show values always into declarations.
void withdrawKnown(llvm::Module &module, const KnownSymbols &known, KnownBodies bodies);

/// Makes a declaration of a function's definition.
void withdrawFunction(llvm::Module &module, llvm::StringRef name);

/// Gives the code of a constructor or destructor for whole objects a name, too, where Clang has
/// made none but that for subobjects: it has its own module use the one for both, an earlier one
/// may not.
void offerComplete(llvm::Module &module, llvm::StringRef complete, llvm::StringRef base);

/// Has the module keep its weak definition of a name even where nothing in it refers to that.
void keepWeak(llvm::Module &module, llvm::StringRef name);

/// Makes declarations of the definitions that only an optimiser could use.
void dropInlineBodies(llvm::Module &module);

/// Drops definitions that nothing in the module refers to and that may be dropped.
void dropUnused(llvm::Module &module);

/// True for a definition that Clang's code generator may repeat in later modules: what is weak, and
/// the initialisation functions of thread-local variables (`_ZTH…`).
bool isRepeatable(const llvm::GlobalValue &value);

/// Marks every definition, and nothing else, as bound within its own object. Not thread-local ones:
/// their model would become local-dynamic. The cells are one program, so hidden visibility, which
/// would end at the object, is taken away.
void bindDefinitions(llvm::Module &module);

} // namespace farside
