#include "module.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Analysis/CFG.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Operator.h"
#include "llvm/Support/xxhash.h"

#include <optional>

namespace farside {

using llvm::Constant;
using llvm::Function;
using llvm::GlobalVariable;

namespace {

constexpr llvm::StringLiteral CtorsName = "llvm.global_ctors";

struct Ctor {
  Constant *priority;
  Function *function;
  Constant *data;
};

std::vector<Ctor> readCtors(const llvm::Module &module) {
  std::vector<Ctor> found;
  const GlobalVariable *list = module.getNamedGlobal(CtorsName);
  if (!list || !list->hasInitializer())
    return found;
  const auto *array = llvm::dyn_cast<llvm::ConstantArray>(list->getInitializer());
  if (!array)
    return found;
  for (const llvm::Use &element : array->operands()) {
    auto *entry = llvm::cast<llvm::ConstantStruct>(element.get());
    auto *function = llvm::dyn_cast<Function>(entry->getOperand(1)->stripPointerCasts());
    if (function)
      found.push_back({entry->getOperand(0), function, entry->getOperand(2)});
  }
  return found;
}

void addCtors(llvm::Module &module, llvm::StructType *entryType, const std::vector<Ctor> &ctors) {
  std::vector<Constant *> entries;
  for (const Ctor &ctor : ctors)
    entries.push_back(
        llvm::ConstantStruct::get(entryType, ctor.priority, ctor.function, ctor.data));
  auto *type = llvm::ArrayType::get(entryType, entries.size());
  new GlobalVariable(module, type, false, llvm::GlobalValue::AppendingLinkage,
                     llvm::ConstantArray::get(type, entries), CtorsName);
}

llvm::StructType *entryTypeOf(const GlobalVariable &list) {
  return llvm::cast<llvm::StructType>(
      llvm::cast<llvm::ArrayType>(list.getValueType())->getElementType());
}

void writeCtors(llvm::Module &module, const std::vector<Ctor> &ctors) {
  GlobalVariable *old = module.getNamedGlobal(CtorsName);
  if (!old)
    return;
  llvm::StructType *entryType = entryTypeOf(*old);
  old->eraseFromParent();
  if (!ctors.empty())
    addCtors(module, entryType, ctors);
}

/// The functions that `function` calls, where it does nothing else.
std::optional<std::vector<Function *>> callsOnly(Function &function) {
  if (function.size() != 1)
    return std::nullopt;
  std::vector<Function *> callees;
  for (llvm::Instruction &instruction : function.front()) {
    if (llvm::isa<llvm::ReturnInst>(instruction))
      continue;
    auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction);
    Function *callee = call ? call->getCalledFunction() : nullptr;
    if (!callee || callee->isDeclaration() || call->arg_size() != 0)
      return std::nullopt;
    callees.push_back(callee);
  }
  return callees;
}

bool isCollector(const Function &function) {
  return function.getName().starts_with("_GLOBAL__sub_I_") ||
         function.getName().starts_with("_GLOBAL__I_");
}

bool isVariableInitialiser(const Function &function) {
  return function.hasLocalLinkage() && function.getName().starts_with("__cxx_global_var_init");
}

bool isRunOnce(const Function &function) {
  return function.hasLocalLinkage() &&
         (function.getName().starts_with("__stmts__") ||
          function.getName().starts_with("_GLOBAL__") || isVariableInitialiser(function));
}

/// Calls `visit` for every variable that the function's instructions mention, also within constant
/// expressions, until it returns true.
bool anyVariable(const Function &function, llvm::function_ref<bool(const GlobalVariable &)> visit) {
  llvm::SmallPtrSet<const Constant *, 32> seen;
  std::vector<const Constant *> pending;
  for (const llvm::Instruction &instruction : llvm::instructions(function))
    for (const llvm::Use &operand : instruction.operands())
      if (const auto *constant = llvm::dyn_cast<Constant>(operand.get()))
        pending.push_back(constant);
  while (!pending.empty()) {
    const Constant *constant = pending.back();
    pending.pop_back();
    if (!seen.insert(constant).second)
      continue;
    if (const auto *variable = llvm::dyn_cast<GlobalVariable>(constant)) {
      if (visit(*variable))
        return true;
    } else if (!llvm::isa<llvm::GlobalValue>(constant)) {
      for (const llvm::Use &operand : constant->operands())
        pending.push_back(llvm::cast<Constant>(operand.get()));
    }
  }
  return false;
}

/// An initialiser mentions the variable it initialises. Where everything it mentions was defined by
/// earlier cells, so was that variable, and it has been initialised.
bool initialisesSomethingNew(const Function &initialiser, const KnownSymbols &known) {
  bool mentionsAny = false;
  bool mentionsNew = anyVariable(initialiser, [&](const GlobalVariable &variable) {
    if (variable.hasPrivateLinkage())
      return false;
    mentionsAny = true;
    return !variable.isDeclaration() && !known.contains(variable.getName());
  });
  return mentionsNew || !mentionsAny;
}

void eraseCallsTo(Function &function) {
  for (llvm::User *user : llvm::make_early_inc_range(function.users()))
    if (auto *call = llvm::dyn_cast<llvm::CallInst>(user))
      call->eraseFromParent();
}

bool hasLoop(const Function &function) {
  llvm::SmallVector<std::pair<const llvm::BasicBlock *, const llvm::BasicBlock *>> edges;
  llvm::FindFunctionBackedges(function, edges);
  return !edges.empty();
}

} // namespace

void separateInitialisers(llvm::Module &module) {
  std::vector<Ctor> apart;
  std::vector<Function *> collectors;
  for (const Ctor &ctor : readCtors(module)) {
    auto callees = isCollector(*ctor.function) ? callsOnly(*ctor.function) : std::nullopt;
    if (!callees) {
      apart.push_back(ctor);
      continue;
    }
    for (Function *callee : *callees)
      apart.push_back({ctor.priority, callee, ctor.data});
    collectors.push_back(ctor.function);
  }
  if (collectors.empty())
    return;
  writeCtors(module, apart);
  for (Function *collector : collectors)
    if (collector->use_empty())
      collector->eraseFromParent();
}

HeldInitialisers::HeldInitialisers(llvm::Module &module) : Held(module) {
  GlobalVariable *list = module.getNamedGlobal(CtorsName);
  if (!list)
    return;
  EntryType = entryTypeOf(*list);
  for (const Ctor &ctor : readCtors(module)) {
    Entries.push_back({ctor.function, ctor.data, ctor.priority, ctor.function->getLinkage()});
    if (ctor.function->isDiscardableIfUnused())
      ctor.function->setLinkage(llvm::GlobalValue::ExternalLinkage);
  }
  list->eraseFromParent();
}

HeldInitialisers::~HeldInitialisers() {
  std::vector<Ctor> ctors;
  for (Entry &entry : Entries) {
    auto *function = llvm::cast<Function>(static_cast<llvm::Value *>(entry.function));
    function->setLinkage(entry.linkage);
    auto *data = llvm::dyn_cast_or_null<Constant>(static_cast<llvm::Value *>(entry.data));
    if (!data)
      data = llvm::ConstantPointerNull::get(llvm::PointerType::getUnqual(Held.getContext()));
    ctors.push_back({entry.priority, function, data});
  }
  if (!ctors.empty())
    addCtors(Held, EntryType, ctors);
}

void dropRepeatedInitialisers(llvm::Module &module, const KnownSymbols &known) {
  std::vector<Function *> repeated;
  for (Function &function : module)
    if (isVariableInitialiser(function) && !function.isDeclaration() &&
        !initialisesSomethingNew(function, known))
      repeated.push_back(&function);
  if (repeated.empty())
    return;
  std::vector<Ctor> kept = readCtors(module);
  llvm::erase_if(kept,
                 [&](const Ctor &ctor) { return llvm::is_contained(repeated, ctor.function); });
  writeCtors(module, kept);
  for (Function *function : repeated) {
    eraseCallsTo(*function);
    function->removeDeadConstantUsers();
    if (function->use_empty())
      function->eraseFromParent();
  }
}

void keepStatementsOnStack(llvm::Module &module) {
  for (Function &function : module)
    if (!function.isDeclaration() && isRunOnce(function))
      function.addFnAttr("disable-tail-calls", "true");
}

bool runsOnce(const Function &function) { return isRunOnce(function) && !hasLoop(function); }

bool runsOnce(const llvm::Module &module) {
  return llvm::all_of(module, [](const Function &function) {
    return function.isDeclaration() || function.hasAvailableExternallyLinkage() ||
           runsOnce(function);
  });
}

bool hasNothingToInline(const llvm::Module &module) {
  return llvm::all_of(module, [](const Function &function) {
    return function.isDeclaration() || function.use_empty() || isRunOnce(function);
  });
}

unsigned onlyLine(const llvm::Module &module, llvm::StringRef file) {
  unsigned line = 0;
  for (const Function &function : module) {
    if (function.hasAvailableExternallyLinkage())
      continue;
    for (const llvm::Instruction &instruction : llvm::instructions(function)) {
      const llvm::DILocation *location = instruction.getDebugLoc();
      if (!location || location->getLine() == 0)
        continue;
      if (location->getInlinedAt() || (line != 0 && location->getLine() != line) ||
          location->getFilename() != file)
        return 0;
      line = location->getLine();
    }
  }
  return line;
}

bool needsLowering(const llvm::Module &module) {
  for (const Function &function : module) {
    llvm::StringRef name = function.getName();
    if (name.starts_with("llvm.coro.") || name.starts_with("llvm.matrix."))
      return true;
    if (function.isDeclaration())
      continue;
    if (function.hasFnAttribute(llvm::Attribute::AlwaysInline) ||
        function.hasFnAttribute(llvm::Attribute::PresplitCoroutine))
      return true;
  }
  return false;
}

uint64_t numberedNames(const llvm::Module &module) {
  uint64_t sum = 0;
  for (const llvm::GlobalValue &value : module.global_values())
    if (value.getName().contains("$_"))
      sum += llvm::xxh3_64bits(value.getName()); // a sum, for the order may differ
  return sum;
}

std::vector<std::string> weakDefinitions(const llvm::Module &module) {
  std::vector<std::string> names;
  for (const llvm::GlobalValue &value : module.global_values())
    if (isRepeatable(value))
      names.push_back(value.getName().str());
  return names;
}

bool definesNothing(const llvm::Module &module) {
  return module.getModuleInlineAsm().empty() &&
         llvm::all_of(module.global_values(), [](const llvm::GlobalValue &value) {
           return value.isDeclaration() || value.hasAvailableExternallyLinkage();
         });
}

} // namespace farside
