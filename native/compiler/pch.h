// Building the precompiled header of the standard library.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace farside {

/// Builds the PCH for these Clang options at `output`, and beside it the file that PchNames reads.
/// Both appear under their names complete or not at all. Returns the process's exit status.
int buildPch(const std::string &output, const std::vector<std::string> &args);

} // namespace farside
