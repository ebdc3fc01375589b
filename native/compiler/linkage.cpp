#include "linkage.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/GlobalIFunc.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"

#include <string>
#include <vector>

namespace farside {

using llvm::GlobalObject;
using llvm::GlobalValue;

namespace {

/// Names that Clang makes anew for each module, for things that only this module means.
bool belongsToModule(llvm::StringRef name) {
  static constexpr llvm::StringLiteral prefixes[] = {
      "__cxx_global_", "__stmts__",   "_GLOBAL__", "__tls_",
      "__const.",      "llvm.",       ".",         "__dtor_",
      "__llvm_",       "__asan_",     "__func__",  "__PRETTY_FUNCTION__",
      "__FUNCTION__",  "switch.table"};
  return llvm::any_of(prefixes, [&](llvm::StringRef prefix) { return name.starts_with(prefix); });
}

bool canBeMeantAgain(const GlobalValue &value) {
  return value.hasInternalLinkage() && !value.isDeclaration() && value.hasName() &&
         !belongsToModule(value.getName());
}

void giveComdat(llvm::Module &module, GlobalObject &object) {
  llvm::Comdat *comdat = module.getOrInsertComdat(object.getName());
  comdat->setSelectionKind(llvm::Comdat::Any);
  object.setComdat(comdat);
}

void promote(llvm::Module &module, GlobalValue &value) {
  value.setName(sharedName(value.getName()));
  if (auto *function = llvm::dyn_cast<llvm::Function>(&value)) {
    function->setLinkage(GlobalValue::LinkOnceODRLinkage);
    giveComdat(module, *function);
  } else if (auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(&value)) {
    variable->setLinkage(variable->isConstant() ? GlobalValue::LinkOnceODRLinkage
                                                : GlobalValue::WeakODRLinkage);
    variable->setUnnamedAddr(GlobalValue::UnnamedAddr::None);
    giveComdat(module, *variable);
  } else {
    value.setLinkage(GlobalValue::WeakODRLinkage);
  }
}

/// What cannot be a declaration itself becomes one by replacement.
void replaceByDeclaration(llvm::Module &module, llvm::GlobalAlias &alias) {
  std::string name = alias.getName().str();
  alias.setName("");
  GlobalValue *declaration;
  if (auto *type = llvm::dyn_cast<llvm::FunctionType>(alias.getValueType())) {
    auto *function = llvm::Function::Create(type, GlobalValue::ExternalLinkage, name, module);
    if (auto *aliasee = llvm::dyn_cast_or_null<llvm::Function>(alias.getAliaseeObject())) {
      function->setAttributes(aliasee->getAttributes());
      function->setCallingConv(aliasee->getCallingConv());
    }
    declaration = function;
  } else {
    declaration =
        new llvm::GlobalVariable(module, alias.getValueType(), false, GlobalValue::ExternalLinkage,
                                 nullptr, name, nullptr, alias.getThreadLocalMode());
  }
  declaration->setVisibility(alias.getVisibility());
  alias.replaceAllUsesWith(declaration);
  alias.eraseFromParent();
}

bool isThreadWrapper(llvm::StringRef name) { return name.starts_with("_ZTW"); }

void withdraw(GlobalObject &object, KnownBodies bodies) {
  object.setComdat(nullptr);
  object.setDSOLocal(false);
  if (auto *function = llvm::dyn_cast<llvm::Function>(&object)) {
    // Only the module that defines a thread-local variable knows that its wrapper must initialise.
    bool visible = bodies == KnownBodies::inline_ && !isThreadWrapper(function->getName()) &&
                   !function->isInterposable() && // which a `weak` one is
                   !function->hasFnAttribute(llvm::Attribute::NoInline);
    if (visible)
      function->setLinkage(GlobalValue::AvailableExternallyLinkage);
    else
      function->deleteBody(); // which also makes the linkage external
    return;
  }
  auto &variable = llvm::cast<llvm::GlobalVariable>(object);
  if (bodies == KnownBodies::inline_ && variable.isConstant()) {
    variable.setLinkage(GlobalValue::AvailableExternallyLinkage);
  } else {
    variable.setInitializer(nullptr);
    variable.setLinkage(GlobalValue::ExternalLinkage);
  }
}

bool isKnown(const GlobalValue &value, const KnownSymbols &known) {
  return isRepeatable(value) && known.contains(value.getName());
}

template <class T> bool eraseIfUnused(T &value) {
  value.removeDeadConstantUsers();
  if (!value.use_empty() || !(value.isDeclaration() || value.isDiscardableIfUnused()))
    return false;
  value.eraseFromParent();
  return true;
}

/// One turn of dropUnused; true where something went, so that more may follow.
bool dropUnusedOnce(llvm::Module &module) {
  bool changed = false;
  for (llvm::GlobalAlias &alias : llvm::make_early_inc_range(module.aliases()))
    changed |= eraseIfUnused(alias);
  for (llvm::Function &function : llvm::make_early_inc_range(module))
    changed |= eraseIfUnused(function);
  for (llvm::GlobalVariable &variable : llvm::make_early_inc_range(module.globals()))
    changed |= !variable.getName().starts_with("llvm.") && eraseIfUnused(variable);
  return changed;
}

/// Clang makes an internal variable's initialisation function where its own module uses the
/// variable. A later module may use it first.
void offerThreadInitialisers(llvm::Module &module) {
  llvm::Function *initialise = module.getFunction("__tls_init");
  if (!initialise || initialise->isDeclaration())
    return;
  for (llvm::GlobalVariable &variable : module.globals()) {
    llvm::StringRef name = variable.getName();
    if (!variable.isThreadLocal() || !variable.hasLocalLinkage() || !name.consume_front("_Z"))
      continue;
    std::string function = "_ZTH" + name.str();
    if (!module.getNamedValue(function))
      llvm::GlobalAlias::create(initialise->getFunctionType(), 0, GlobalValue::InternalLinkage,
                                function, initialise, &module);
  }
}

} // namespace

std::string sharedName(llvm::StringRef name) {
  return name.starts_with("_Z") ? name.str() : "_ZL" + std::to_string(name.size()) + name.str();
}

void promoteInternals(llvm::Module &module, unsigned cell) {
  offerThreadInitialisers(module);
  std::vector<GlobalValue *> values;
  for (GlobalValue &value : module.global_values())
    if (canBeMeantAgain(value))
      values.push_back(&value);
  for (GlobalValue *value : values) {
    promote(module, *value);
    value->setDSOLocal(false);
  }
  for (llvm::GlobalVariable &variable : module.globals()) {
    if (!variable.isThreadLocal() || !variable.hasLocalLinkage())
      continue;
    variable.setName(variable.getName() + ".cell" + std::to_string(cell));
    variable.setLinkage(GlobalValue::WeakODRLinkage);
    variable.setDSOLocal(false);
  }
}

/// Functions that show values (show_bodies.h) are called once for each display, from outside.
static bool isForDisplay(const GlobalValue &value) {
  return value.getName().starts_with("_ZN9__farside");
}

void withdrawKnown(llvm::Module &module, const KnownSymbols &known, KnownBodies bodies) {
  for (llvm::GlobalAlias &alias : llvm::make_early_inc_range(module.aliases()))
    if (isKnown(alias, known))
      replaceByDeclaration(module, alias);
  for (GlobalObject &object : module.global_objects())
    if (!llvm::isa<llvm::GlobalIFunc>(object) && isKnown(object, known))
      withdraw(object, isForDisplay(object) ? KnownBodies::drop : bodies);
}

void withdrawFunction(llvm::Module &module, llvm::StringRef name) {
  llvm::Function *function = module.getFunction(name);
  if (function && !function->isDeclaration())
    withdraw(*function, KnownBodies::drop);
}

void offerComplete(llvm::Module &module, llvm::StringRef complete, llvm::StringRef base) {
  llvm::Function *aliasee = module.getFunction(base);
  GlobalValue *present = module.getNamedValue(complete);
  if (!aliasee || aliasee->isDeclaration() || (present && !present->isDeclaration()))
    return;
  auto *alias = llvm::GlobalAlias::create(aliasee->getFunctionType(), 0,
                                          GlobalValue::WeakODRLinkage, "", aliasee, &module);
  if (present) {
    alias->takeName(present);
    present->replaceAllUsesWith(alias);
    present->eraseFromParent();
  } else {
    alias->setName(complete);
  }
}

void keepWeak(llvm::Module &module, llvm::StringRef name) {
  GlobalValue *value = module.getNamedValue(name);
  if (value && value->hasLinkOnceLinkage())
    value->setLinkage(value->hasLinkOnceODRLinkage() ? GlobalValue::WeakODRLinkage
                                                     : GlobalValue::WeakAnyLinkage);
}

void dropInlineBodies(llvm::Module &module) {
  for (GlobalObject &object : module.global_objects())
    if (object.hasAvailableExternallyLinkage() &&
        !(llvm::isa<llvm::Function>(object) &&
          llvm::cast<llvm::Function>(object).hasFnAttribute(llvm::Attribute::AlwaysInline)))
      withdraw(object, KnownBodies::drop);
}

void dropUnused(llvm::Module &module) {
  while (dropUnusedOnce(module)) {
  }
}

bool isRepeatable(const GlobalValue &value) {
  if (value.isDeclaration())
    return false;
  // A class with a key function has one vtable, where that function is defined. To Clang all cells
  // are one translation unit, so it emits the vtable, and what belongs to it, in every cell that
  // uses it.
  llvm::StringRef name = value.getName();
  bool belongsToClass = llvm::isa<llvm::GlobalVariable>(value) &&
                        (name.starts_with("_ZTV") || name.starts_with("_ZTI") ||
                         name.starts_with("_ZTS") || name.starts_with("_ZTT"));
  return value.hasWeakLinkage() || value.hasLinkOnceLinkage() || belongsToClass ||
         (llvm::isa<llvm::GlobalAlias>(value) && name.starts_with("_ZTH"));
}

void bindDefinitions(llvm::Module &module) {
  for (GlobalValue &value : module.global_values()) {
    if (value.hasLocalLinkage() || value.getName() == "__dso_handle")
      continue;
    value.setVisibility(GlobalValue::DefaultVisibility);
    bool defined = !value.isDeclaration() && !value.hasAvailableExternallyLinkage();
    value.setDSOLocal(defined && !value.isThreadLocal());
  }
}

} // namespace farside
