// The incremental compiler: one translation unit that grows by a cell at a time.
#pragma once

#include "amendments.h"
#include "cookie.h"
#include "diagnostics.h"
#include "display.h"
#include "emit.h"
#include "linkage.h"
#include "redefinition.h"

#include "clang/Frontend/CompilerInstance.h"
#include "llvm/IR/LLVMContext.h"

#include <memory>
#include <optional>
#include <string>

namespace farside {

class CellAction;
class CellConsumer;
class CellParser;
class ConflictWatch;
class PchNames;

/// What one cell became.
struct Cell {
  bool ok = false;
  bool displayFailed = false; ///< the cell itself is fine; to be compiled again, plain
  llvm::json::Array declared;
  std::optional<ShownType> value;
  std::vector<std::optional<ShownType>> values; ///< of all expressions, if they were asked for
  std::vector<std::string> conflicts;
  std::vector<DeclarationId> clashes; ///< what the cell would define again
  std::vector<Amendment> amendments;  ///< with which it may be accepted
  std::vector<std::string> redefined; ///< symbols of functions that it did define again
  llvm::StringRef object;             ///< valid until the next cell
  Cookie cookie;
  unsigned onlyLine = 0; ///< see onlyLine(); the object does not tell it
  int64_t parseMicros = 0;
  int64_t optimiseMicros = 0;
  int64_t emitMicros = 0;
};

/// How cells are treated, besides Clang's options.
struct CompilerSettings {
  bool showValues = true;
  bool redefinition = true; ///< whether a cell may define again what an earlier one defined
  bool instances = false;   ///< whether the executor brings those of instances.h
};

/// Clang, set up once and fed cells.
///
/// After a cell that failed, what Clang holds is not what it was before, and nothing brings that
/// back within the process; see docs/design.md, "Undo on the compiler side: forks".
class Compiler {
public:
  /// Null with diagnostics in `collector` where Clang cannot work with these options or this PCH.
  /// `pchNames` belong to the PCH that the invocation names, and are null where it names none.
  static std::unique_ptr<Compiler> create(std::shared_ptr<clang::CompilerInvocation> invocation,
                                          DiagnosticCollector &collector, CompilerSettings settings,
                                          std::unique_ptr<PchNames> pchNames);
  ~Compiler();

  /// Compiles a cell, after hiding what it is to define again. `plain`: objects are shown by their
  /// address alone. `given`: its value is given to Python, and not shown. `all`: those of all its
  /// expressions are shown.
  Cell compile(unsigned number, llvm::StringRef code, std::vector<DeclarationId> hidden,
               bool plain = false, bool given = false, bool all = false);

  /// Parses an accepted cell again. False where it fails or would now be named differently.
  bool replay(unsigned number, llvm::StringRef code, const Cookie &cookie);

  /// Makes what the next cell would otherwise wait for; it is of use while nobody waits.
  void prepare();

  /// Reads what the first cell would otherwise wait for.
  void warmUp();

  /// See `Emitter::practise`.
  void practise();

  std::string triple() const;

  /// How many elements of a container are shown.
  void showElements(int64_t count);

  /// The names of the PCH that are in the way of this cell; for one that failed, those that may be.
  std::vector<std::string> conflicts(llvm::StringRef code, bool ok);
  /// What the cell would define again.
  std::vector<DeclarationId> clashes() const { return Redefined.clashes().all(); }
  /// The changes of its text with which the cell may be accepted.
  std::vector<Amendment> amendments() const { return Amended.all(); }
  /// Whether what a near side names is there, to be hidden from a cell; see Hiding.
  bool canHide(unsigned cell, llvm::ArrayRef<DeclarationId> hidden) const {
    return Redefined.canHide(Instance->getSourceManager(), cell, hidden);
  }
  /// Whether the cell looks as if it defined something again.
  bool mayDefineAgain(llvm::StringRef code) const {
    return Redefined.clashes().mayDefineAgain(code, Instance->getLangOpts());
  }

private:
  Compiler(std::shared_ptr<clang::CompilerInvocation> invocation, DiagnosticCollector &collector);

  bool canEmit();
  bool start(CompilerSettings settings, std::unique_ptr<PchNames> pchNames);
  bool parse(unsigned number, llvm::StringRef code, llvm::ArrayRef<DeclarationId> hidden);
  bool parseInput(bool first = false);
  bool parseShownHeader();
  void repeatKnown();
  bool completeDisplay();
  void setDisplay(bool plain, bool given, bool all = false);
  std::unique_ptr<llvm::Module> takeModule(unsigned number);
  void dropOnlyLine(llvm::Module &module, unsigned number, Cell &cell);
  void emit(std::unique_ptr<llvm::Module> module, unsigned number, Cell &cell);

  DiagnosticCollector &Collector;
  std::unique_ptr<clang::CompilerInstance> Instance;
  /// Of the module that is being made. It is replaced from time to time: what LLVM keeps in it for
  /// good, such as the metadata of line tables, ends with it. A new one costs a tenth of a small
  /// cell.
  std::unique_ptr<llvm::LLVMContext> Context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<CellAction> Action;
  std::unique_ptr<CellParser> Parse;
  std::unique_ptr<Emitter> Emit;
  CellConsumer *Consumer = nullptr;   // the instance owns it
  ConflictWatch *Conflicts = nullptr; // the preprocessor owns it; null without a PCH
  KnownSymbols Known;
  bool Instances = false; // whether they are left to the executor
  Redefinitions Redefined;
  Amendments Amended;
  uint64_t NumberedNames = 0; // of the last module
  unsigned NextModule = 0;    // the cell whose module is to be made, unless there is one
  unsigned Modules = 0;       // that were begun
  bool MayContinue = true;
  bool DisplayFailed = false;
};

} // namespace farside
