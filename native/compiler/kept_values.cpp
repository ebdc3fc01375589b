#include "kept_values.h"

#include "clang/AST/Decl.h"
#include "clang/AST/ExprCXX.h"

namespace farside {

using namespace clang;

namespace {

/// The beginning of the names that src/farside/api/values.py makes.
constexpr llvm::StringRef Prefix = "__farside_value_";

/// Beyond the numbers of the temporaries that Clang itself has live as long as a variable.
constexpr unsigned FirstNumber = 10'000;

void extend(Stmt *statement, VarDecl &variable, unsigned &number) {
  // What is in these ends with a full expression of its own.
  if (!statement || isa<StmtExpr, BlockExpr>(statement))
    return;
  if (auto *lambda = dyn_cast<LambdaExpr>(statement)) {
    for (Expr *capture : lambda->capture_inits())
      extend(capture, variable, number);
    return;
  }
  if (auto *temporary = dyn_cast<MaterializeTemporaryExpr>(statement);
      temporary && temporary->getStorageDuration() == SD_FullExpression)
    temporary->setExtendingDecl(&variable, number++);
  for (Stmt *part : statement->children())
    extend(part, variable, number);
}

} // namespace

void keepTemporaries(VarDecl &variable) {
  unsigned number = FirstNumber;
  if (variable.getIdentifier() && variable.getName().starts_with(Prefix) && variable.hasInit())
    extend(variable.getInit(), variable, number);
}

} // namespace farside
