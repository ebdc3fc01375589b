#include "instances.h"

#include "linkage.h"
#include "module.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Module.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

// Made by native/instances/list_instances.py.
extern const char *const farsideCommonUses;
extern "C" const int32_t farsideLargeInstances[];
extern "C" const int32_t farsideLargeInstancesEnd[];
extern "C" const int32_t farsideSmallInstances[];
extern "C" const int32_t farsideSmallInstancesEnd[];

namespace farside {

using namespace clang;

namespace {

/// One of the lists that native/instances/list_instances.py makes: distances in bytes from its
/// beginning to names, which are sorted.
struct Names {
  const int32_t *begin;
  const int32_t *end;

  bool contain(llvm::StringRef name) const {
    auto nameAt = [this](int32_t distance) {
      return llvm::StringRef(reinterpret_cast<const char *>(begin) + distance);
    };
    const int32_t *found =
        std::lower_bound(begin, end, name, [&](int32_t distance, llvm::StringRef sought) {
          return nameAt(distance) < sought;
        });
    return found != end && nameAt(*found) == name;
  }
};

const Names Large{farsideLargeInstances, farsideLargeInstancesEnd};
const Names Small{farsideSmallInstances, farsideSmallInstancesEnd};

bool mayBeWithdrawn(const llvm::Function &function, Names names) {
  return !function.isDeclaration() && !function.hasFnAttribute(llvm::Attribute::AlwaysInline) &&
         (function.hasLinkOnceODRLinkage() || function.hasAvailableExternallyLinkage()) &&
         names.contain(function.getName());
}

/// The functions that code other than what runs once refers to, however indirectly.
class Repeated {
public:
  Repeated(const llvm::Module &module, const llvm::SmallPtrSetImpl<const llvm::Function *> &small) {
    for (const llvm::GlobalVariable &variable : module.globals())
      if (variable.hasInitializer() && !variable.getName().starts_with("llvm."))
        Pending.push_back(variable.getInitializer());
    for (const llvm::GlobalAlias &alias : module.aliases())
      Pending.push_back(alias.getAliasee());
    for (const llvm::Function &function : module)
      if (!function.isDeclaration() && !function.hasAvailableExternallyLinkage() &&
          !small.contains(&function) && !runsOnce(function))
        Pending.push_back(&function);
    while (!Pending.empty())
      follow(*Pending.pop_back_val());
  }

  bool contain(const llvm::Function &function) const { return Seen.contains(&function); }

private:
  void follow(const llvm::Constant &constant) {
    if (!Seen.insert(&constant).second)
      return;
    if (const auto *function = llvm::dyn_cast<llvm::Function>(&constant)) {
      for (const llvm::Instruction &instruction : llvm::instructions(*function))
        refer(instruction);
    } else if (!llvm::isa<llvm::GlobalVariable>(constant)) { // whose initialiser is looked at
      refer(constant);
    }
  }

  void refer(const llvm::User &user) {
    for (const llvm::Use &operand : user.operands())
      if (const auto *constant = llvm::dyn_cast<llvm::Constant>(operand.get()))
        Pending.push_back(constant);
  }

  llvm::SmallPtrSet<const llvm::Constant *, 32> Seen;
  llvm::SmallVector<const llvm::Constant *, 64> Pending;
};

void markForeign(FunctionDecl &function) {
  function.setTemplateSpecializationKind(TSK_ExplicitInstantiationDeclaration);
  function.addAttr(NoInlineAttr::CreateImplicit(function.getASTContext()));
}

void unmark(FunctionDecl &function) {
  if (function.getTemplateSpecializationKind() == TSK_ExplicitInstantiationDeclaration)
    function.setTemplateSpecializationKind(TSK_ImplicitInstantiation);
  function.dropAttr<NoInlineAttr>();
}

} // namespace

llvm::StringRef commonUses() { return farsideCommonUses; }

void withdrawInstances(llvm::Module &module, bool all) {
  llvm::SmallPtrSet<const llvm::Function *, 32> small;
  for (llvm::Function &function : module)
    if (mayBeWithdrawn(function, Large))
      withdrawFunction(module, function.getName());
    else if (mayBeWithdrawn(function, Small))
      small.insert(&function);
  if (small.empty())
    return;
  std::optional<Repeated> repeated;
  if (!all)
    repeated.emplace(module, small);
  for (llvm::Function &function : module)
    if (small.contains(&function) && !(repeated && repeated->contain(function)))
      withdrawFunction(module, function.getName());
}

void ForeignInstances::consider(FunctionDecl &function,
                                llvm::function_ref<llvm::StringRef(FunctionDecl &)> symbolOf) {
  if (!Wanted || isa<CXXConstructorDecl, CXXDestructorDecl>(function) ||
      function.getTemplateSpecializationKind() != TSK_ImplicitInstantiation ||
      !function.isUserProvided() || function.hasAttr<AlwaysInlineAttr>() ||
      function.hasAttr<NoInlineAttr>() || function.getReturnType()->isUndeducedType() ||
      !function.isExternallyVisible() || !Large.contain(symbolOf(function)))
    return;
  markForeign(function);
  Marked.push_back(&function);
}

void ForeignInstances::leaveSmall(const llvm::Module &module, bool all,
                                  llvm::function_ref<const Decl *(llvm::StringRef)> declarationOf) {
  if (!Wanted || !(all || runsOnce(module)))
    return;
  std::vector<FunctionDecl *> instances;
  std::vector<FunctionDecl *> external;
  for (const llvm::Function &function : module) {
    if (!function.isDeclaration() || function.isIntrinsic())
      continue;
    const Decl *decl = declarationOf(function.getName());
    auto *declared = const_cast<FunctionDecl *>(dyn_cast_or_null<FunctionDecl>(decl));
    if (!declared || declared->hasAttr<AlwaysInlineAttr>())
      continue;
    bool marked = declared->hasAttr<NoInlineAttr>();
    if (Small.contain(function.getName()) || Large.contain(function.getName())) {
      if (!marked && declared->getTemplateSpecializationKind() == TSK_ImplicitInstantiation)
        instances.push_back(declared);
      continue;
    }
    GVALinkage linkage = declared->getASTContext().GetGVALinkageForFunction(declared);
    if (linkage == GVA_AvailableExternally) {
      if (!marked)
        external.push_back(declared);
    } else if (linkage <= GVA_DiscardableODR && !all) {
      return; // code of the cell's own
    }
  }
  for (FunctionDecl *each : instances)
    markForeign(*each);
  for (FunctionDecl *each : external)
    each->addAttr(NoInlineAttr::CreateImplicit(each->getASTContext()));
  Left = std::move(instances);
  External = std::move(external);
}

std::vector<FunctionDecl *> ForeignInstances::takeBack() {
  std::vector<FunctionDecl *> all = std::exchange(Left, {});
  for (FunctionDecl *function : all)
    unmark(*function);
  for (FunctionDecl *function : std::exchange(External, {})) {
    function->dropAttr<NoInlineAttr>();
    all.push_back(function);
  }
  return all;
}

std::vector<FunctionDecl *> ForeignInstances::stop() {
  Wanted = false;
  for (FunctionDecl *function : Marked)
    unmark(*function);
  return std::exchange(Marked, {});
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
