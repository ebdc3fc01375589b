// Running code that shows a value in a process of its own.
#pragma once

#include "show_tree.h"

#include <functional>
#include <string>

namespace farside {

using ShowEntry = void (*)(void *, void *);

/// Runs `show`, which writes to `memory`, in a child, and waits for its end, but not for ever.
/// Returns how it ended if it did not come to its end, else the empty string.
std::string showInChild(TreeMemory &memory, const std::function<void()> &show);

/// Whether this is such a child.
bool inShowChild();

} // namespace farside
