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
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/StandardInstrumentations.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

#include <utility>

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
                                                 llvm::StringRef features, unsigned level) {
  const clang::TargetOptions &target = instance.getTargetOpts();
  llvm::Triple triple = instance.getTarget().getTriple();
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    llvm::report_fatal_error(llvm::StringRef(error), false);
  return std::unique_ptr<llvm::TargetMachine>(
      found->createTargetMachine(triple, target.CPU, features, targetOptions(instance),
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

ObjectWriter::ObjectWriter(const clang::CompilerInstance &instance, llvm::StringRef features,
                           unsigned level)
    : Stream(Buffer), Machine(makeMachine(instance, features, level)) {
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
    : Instance(instance), Features(std::exchange(instance.getTargetOpts().Features, {})),
      Level(instance.getCodeGenOpts().OptimizationLevel) {}

ObjectWriter &Emitter::writer(unsigned level) {
  std::unique_ptr<ObjectWriter> &slot = Writers[std::min<size_t>(level, Writers.size() - 1)];
  if (!slot)
    slot = std::make_unique<ObjectWriter>(Instance, llvm::join(Features, ","), level);
  return *slot;
}

namespace {

/// Whether these options ask for nothing but the pipeline of their level.
bool areOrdinary(const clang::CodeGenOptions &options, const clang::LangOptions &language) {
  bool instruments = options.hasProfileInstr() || options.hasProfileClangUse() ||
                     options.hasProfileIRUse() || options.hasProfileCSIRUse() ||
                     options.hasSanitizeCoverage() || options.hasSanitizeBinaryMetadata() ||
                     options.InstrumentFunctions || options.InstrumentFunctionsAfterInlining ||
                     options.InstrumentFunctionEntryBare || options.XRayInstrumentFunctions ||
                     options.CoverageMapping || !options.CoverageNotesFile.empty() ||
                     !options.CoverageDataFile.empty() || options.PseudoProbeForProfiling;
  bool reports = options.DebugPassManager || options.TimePasses || options.TimePassesPerRun ||
                 !options.OptRecordFile.empty();
  bool linksLater = options.PrepareForLTO || options.PrepareForThinLTO || options.FatLTO ||
                    options.WholeProgramVTables;
  bool named = !options.PassPlugins.empty() || !options.MemoryProfileOutput.empty() ||
               !options.SampleProfileFile.empty() || !options.NoBuiltinFuncs.empty();
  return language.Sanitize.empty() && !instruments && !reports && !linksLater && !named &&
         options.SimplifyLibCalls && !options.OptimizeSize && !options.DisableLLVMPasses &&
         !options.UniqueInternalLinkageNames && !options.AllowRuntimeCheckSkipHotCutoff;
}

llvm::PipelineTuningOptions tuningFor(const clang::CodeGenOptions &options) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = options.UnrollLoops;
  tuning.LoopInterleaving = options.UnrollLoops;
  tuning.LoopInterchange = options.InterchangeLoops;
  tuning.LoopFusion = options.FuseLoops;
  tuning.LoopVectorization = options.VectorizeLoop;
  tuning.SLPVectorization = options.VectorizeSLP;
  tuning.MergeFunctions = options.MergeFunctions;
  tuning.CallGraphProfile = !options.DisableIntegratedAS;
  tuning.UnifiedLTO = options.UnifiedLTO;
  return tuning;
}

llvm::OptimizationLevel pipelineLevel(unsigned level) {
  switch (level) {
  case 0:
    return llvm::OptimizationLevel::O0;
  case 1:
    return llvm::OptimizationLevel::O1;
  case 2:
    return llvm::OptimizationLevel::O2;
  default:
    return llvm::OptimizationLevel::O3;
  }
}

void runPipeline(llvm::Module &module, const clang::CodeGenOptions &options,
                 llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassInstrumentationCallbacks callbacks;
  llvm::StandardInstrumentations instrumentations(module.getContext(), /*DebugLogging=*/false);
  instrumentations.registerCallbacks(callbacks, &modules); // `optnone` is one of them
  llvm::PassBuilder builder(&machine, tuningFor(options), std::nullopt, &callbacks);
  std::unique_ptr<llvm::TargetLibraryInfoImpl> libraries(
      llvm::driver::createTLII(machine.getTargetTriple(), options.getVecLib()));
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(*libraries); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::OptimizationLevel level = pipelineLevel(options.OptimizationLevel);
  llvm::ModulePassManager passes = level == llvm::OptimizationLevel::O0
                                       ? builder.buildO0DefaultPipeline(level)
                                       : builder.buildPerModuleDefaultPipeline(level);
  if (options.VerifyModule)
    passes.addPass(llvm::VerifierPass());
  passes.run(module, modules);
}

} // namespace

void Emitter::optimise(llvm::Module &module, unsigned level) {
  clang::CodeGenOptions options = Instance.getCodeGenOpts();
  options.OptimizationLevel = level & 3u;
  if (areOrdinary(options, Instance.getLangOpts())) {
    runPipeline(module, options, writer(level).machine());
    return;
  }
  Instance.getTargetOpts().Features = Features; // for the target machine that Clang makes
  clang::emitBackendOutput(Instance, options, Instance.getTarget().getDataLayoutString(), &module,
                           clang::Backend_EmitNothing, Instance.getVirtualFileSystemPtr(), nullptr);
  Instance.getTargetOpts().Features.clear();
}

llvm::StringRef Emitter::write(llvm::Module &module, unsigned level) {
  return writer(level).write(module);
}

void Emitter::warmUp() { writer(0); }

void Emitter::practise(llvm::LLVMContext &context) {
  llvm::TargetMachine &machine = writer(0).machine();
  llvm::Module module("practice", context);
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  // What `x = x + 1;` comes to.
  llvm::IRBuilder<> builder(context);
  llvm::Type *type = builder.getInt32Ty();
  auto *x = new llvm::GlobalVariable(module, type, false, llvm::GlobalValue::ExternalLinkage,
                                     nullptr, "x");
  auto *statement = llvm::Function::Create(llvm::FunctionType::get(builder.getVoidTy(), false),
                                           llvm::GlobalValue::InternalLinkage, "statement", module);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", statement));
  builder.CreateStore(builder.CreateAdd(builder.CreateLoad(type, x), builder.getInt32(1)), x);
  builder.CreateRetVoid();
  llvm::appendToGlobalCtors(module, statement, /*Priority=*/65535);
  write(module, 0);
}

} // namespace farside
