// What happens to the arguments of a call from Python on their way to the function.
#pragma once

#include "clang/AST/DeclGroup.h"
#include "clang/Basic/Diagnostic.h"

namespace clang {
class FunctionDecl;
}

namespace farside {

/// Warns of arguments of a call's stub (farside/calls/stub.py) that a constructor template
/// converts, such as std::optional<int>'s of a long: what happens to a number in there, in a header
/// of the library, Clang does not warn of. Returns the stub, if there is one.
clang::FunctionDecl *checkCall(clang::DeclGroupRef decls, clang::DiagnosticsEngine &diagnostics);

/// Warns where something that a template hands a farside::wire::Forwarded on to does not convert
/// it. To be called when all that the stub calls has been instantiated.
void checkWay(clang::FunctionDecl &stub, clang::DiagnosticsEngine &diagnostics);

} // namespace farside
