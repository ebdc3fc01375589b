// Calls of Python callables, and arguments that do not fit; `farside/call.h` declares the functions
// for the stubs that make them.
#pragma once

namespace farside {

/// The address of this names the dispatch of calls back to the near side.
extern "C" char farside_callback_tag;

} // namespace farside
