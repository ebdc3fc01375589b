#include "instances.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/IR/Module.h"

extern const char *const farsideCommonUses; // made by native/instances/list_instances.cmake

namespace farside {

namespace {

constexpr const char *Names[] = {
#include "instances_names.inc"
};

const llvm::StringSet<> &names() {
  static const auto *all = [] {
    auto *made = new llvm::StringSet<>;
    for (const char *name : Names)
      made->insert(name);
    return made;
  }();
  return *all;
}

} // namespace

llvm::StringRef commonUses() { return farsideCommonUses; }

void withdrawInstances(llvm::Module &module) {
  for (llvm::Function &function : module) {
    if (!function.hasLinkOnceODRLinkage() || !names().contains(function.getName()))
      continue;
    function.deleteBody(); // and with it what kept it apart from others of its name
    function.setComdat(nullptr);
    function.setLinkage(llvm::GlobalValue::ExternalLinkage);
  }
}

bool replacesAllocation(const llvm::Module &module) {
  for (const llvm::Function &function : module) {
    llvm::StringRef name = function.getName();
    // operator new, new[], delete and delete[].
    bool allocates = name.starts_with("_Znw") || name.starts_with("_Zna") ||
                     name.starts_with("_Zdl") || name.starts_with("_Zda");
    if (allocates && !function.isDeclaration())
      return true;
  }
  return false;
}

} // namespace farside
