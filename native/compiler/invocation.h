// From the user's options to Clang's.
#pragma once

#include "diagnostics.h"

#include "clang/Frontend/CompilerInvocation.h"

#include <memory>
#include <string>
#include <vector>

namespace farside {

/// Runs Clang's driver over `args` as if for one source file, with farside's own choices before the
/// user's (so that the user's win) and what cannot be otherwise after them. Null, with diagnostics
/// in `collector`, where Clang rejects an option.
std::shared_ptr<clang::CompilerInvocation> makeInvocation(const std::vector<std::string> &args,
                                                          clang::DiagnosticOptions &options,
                                                          DiagnosticCollector &collector);

} // namespace farside
