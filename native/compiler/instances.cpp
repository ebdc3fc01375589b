#include "instances.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/Module.h"

#include <utility>

extern const char *const farsideCommonUses; // made by native/instances/list_instances.cmake

namespace farside {

using namespace clang;

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

void ForeignInstances::consider(FunctionDecl &function,
                                llvm::function_ref<llvm::StringRef(FunctionDecl &)> symbolOf) {
  if (!Wanted || isa<CXXConstructorDecl, CXXDestructorDecl>(function) ||
      function.getTemplateSpecializationKind() != TSK_ImplicitInstantiation ||
      !function.isUserProvided() || function.hasAttr<AlwaysInlineAttr>() ||
      function.hasAttr<NoInlineAttr>() || function.getReturnType()->isUndeducedType() ||
      !function.isExternallyVisible() || !names().contains(symbolOf(function)))
    return;
  function.setTemplateSpecializationKind(TSK_ExplicitInstantiationDeclaration);
  function.addAttr(NoInlineAttr::CreateImplicit(function.getASTContext()));
  Marked.push_back(&function);
}

std::vector<FunctionDecl *> ForeignInstances::stop() {
  Wanted = false;
  for (FunctionDecl *function : Marked) {
    if (function->getTemplateSpecializationKind() == TSK_ExplicitInstantiationDeclaration)
      function->setTemplateSpecializationKind(TSK_ImplicitInstantiation);
    function->dropAttr<NoInlineAttr>();
  }
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
