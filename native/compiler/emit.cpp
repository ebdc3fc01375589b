#include "emit.h"

#include "clang/Basic/CodeGenOptions.h"
#include "clang/Basic/TargetInfo.h"
#include "clang/Basic/TargetOptions.h"
#include "clang/CodeGen/BackendUtil.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Frontend/Driver/CodeGenOptions.h"
#include "llvm/IR/DiagnosticHandler.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/ErrorHandling.h"

namespace farside {

namespace {

void setFloatingPoint(llvm::TargetOptions &options, const clang::LangOptions &language) {
  bool fast = language.getDefaultFPContractMode() == clang::LangOptions::FPM_Fast;
  options.AllowFPOpFusion = fast ? llvm::FPOpFusion::Fast : llvm::FPOpFusion::Standard;
  options.NoInfsFPMath = language.NoHonorInfs;
  options.NoNaNsFPMath = language.NoHonorNaNs;
  options.NoSignedZerosFPMath = language.NoSignedZero;
}

/// The options that Clang derives for its own code generation, as far as they bear on ELF.
llvm::TargetOptions targetOptions(const clang::CompilerInstance &instance) {
  const clang::CodeGenOptions &codegen = instance.getCodeGenOpts();
  const clang::LangOptions &language = instance.getLangOpts();
  llvm::TargetOptions options;
  setFloatingPoint(options, language);
  options.UseInitArray = true;
  options.ExceptionModel = codegen.hasDWARFExceptions() ? llvm::ExceptionHandling::DwarfCFI
                                                        : llvm::ExceptionHandling::None;
  options.NoZerosInBSS = codegen.NoZeroInitializedInBSS;
  options.FunctionSections = codegen.FunctionSections;
  options.DataSections = codegen.DataSections;
  options.UniqueSectionNames = codegen.UniqueSectionNames;
  options.TLSSize = codegen.TLSSize;
  options.EnableTLSDESC = codegen.EnableTLSDESC;
  options.EmulatedTLS = codegen.EmulatedTLS;
  // Code that runs off its end because its behaviour is undefined is to stop there, with a report,
  // rather than run into what lies behind it, which is somebody else's cell.
  options.TrapUnreachable = true;
  options.NoTrapAfterNoreturn = true;
  options.DebuggerTuning = codegen.getDebuggerTuning();
  options.EmitStackSizeSection = codegen.StackSizeSection;
  options.ForceDwarfFrameSection = codegen.ForceDwarfFrameSection;
  options.EmitCallSiteInfo = codegen.EmitCallSiteInfo;
  options.LoopAlignment = codegen.LoopAlignment;
  options.DebugStrictDwarf = codegen.DebugStrictDwarf;
  options.XRayFunctionIndex = codegen.XRayFunctionIndex;
  options.MCOptions.EmitDwarfUnwind = codegen.getEmitDwarfUnwind();
  options.MCOptions.MCNoExecStack = codegen.NoExecStack;
  options.MCOptions.MCNoWarn = true;
  options.MCOptions.Dwarf64 = codegen.Dwarf64;
  options.MCOptions.X86RelaxRelocations = codegen.X86RelaxRelocations;
  options.MCOptions.ABIName = instance.getTargetOpts().ABI;
  return options;
}

llvm::CodeGenOptLevel codegenLevel(unsigned level) {
  return llvm::CodeGenOpt::getLevel(static_cast<int>(level)).value_or(llvm::CodeGenOptLevel::None);
}

std::unique_ptr<llvm::TargetMachine> makeMachine(const clang::CompilerInstance &instance,
                                                 unsigned level) {
  const clang::TargetOptions &target = instance.getTargetOpts();
  llvm::Triple triple = instance.getTarget().getTriple();
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    llvm::report_fatal_error(llvm::StringRef(error), false);
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, target.CPU, llvm::join(target.Features, ","), targetOptions(instance),
      llvm::Reloc::PIC_, llvm::CodeModel::Small, codegenLevel(level)));
}

/// What LLVM rejects when it makes code, such as an instruction in `asm` that there is not. By
/// itself it would write that where nobody looks, and end the process.
class BackendErrors : public llvm::DiagnosticHandler {
public:
  explicit BackendErrors(clang::DiagnosticsEngine &engine) : Engine(engine) {}

  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() != llvm::DS_Error)
      return true;
    clang::SourceLocation where;
    std::string text;
    if (const auto *assembly = llvm::dyn_cast<llvm::DiagnosticInfoSrcMgr>(&info)) {
      where = clang::SourceLocation::getFromRawEncoding(
          static_cast<clang::SourceLocation::UIntTy>(assembly->getLocCookie()));
      text = assembly->getSMDiag().getMessage().str();
    } else {
      llvm::raw_string_ostream stream(text);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    Engine.Report(where, Engine.getCustomDiagID(clang::DiagnosticsEngine::Error, "%0")) << text;
    return true;
  }

private:
  clang::DiagnosticsEngine &Engine;
};

} // namespace

void reportBackendErrors(llvm::LLVMContext &context, clang::DiagnosticsEngine &engine) {
  context.setDiagnosticHandler(std::make_unique<BackendErrors>(engine));
}

ObjectWriter::ObjectWriter(const clang::CompilerInstance &instance, unsigned level)
    : Stream(Buffer), Machine(makeMachine(instance, level)) {
  std::unique_ptr<llvm::TargetLibraryInfoImpl> libraries(llvm::driver::createTLII(
      instance.getTarget().getTriple(), instance.getCodeGenOpts().getVecLib()));
  Passes.add(new llvm::TargetLibraryInfoWrapperPass(*libraries));
  if (Machine->addPassesToEmitFile(Passes, Stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    llvm::report_fatal_error("this target cannot emit object files", false);
}

ObjectWriter::~ObjectWriter() = default;

llvm::StringRef ObjectWriter::write(llvm::Module &module) {
  Buffer.clear();
  Passes.run(module);
  return {Buffer.data(), Buffer.size()};
}

Emitter::Emitter(clang::CompilerInstance &instance)
    : Instance(instance), Level(instance.getCodeGenOpts().OptimizationLevel) {}

ObjectWriter &Emitter::writer(unsigned level) {
  std::unique_ptr<ObjectWriter> &slot = Writers[std::min<size_t>(level, Writers.size() - 1)];
  if (!slot)
    slot = std::make_unique<ObjectWriter>(Instance, level);
  return *slot;
}

void Emitter::optimise(llvm::Module &module, unsigned level) {
  clang::CodeGenOptions options = Instance.getCodeGenOpts();
  options.OptimizationLevel = level & 3u;
  clang::emitBackendOutput(Instance, options, Instance.getTarget().getDataLayoutString(), &module,
                           clang::Backend_EmitNothing, Instance.getVirtualFileSystemPtr(), nullptr);
}

llvm::StringRef Emitter::write(llvm::Module &module, unsigned level) {
  return writer(level).write(module);
}

void Emitter::warmUp() { writer(0); }

} // namespace farside
