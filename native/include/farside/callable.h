// A Python callable in C++, farside::Callable: what a template is given one as.
//
//   std::vector<farside::Callable> listeners;
//   template <class F> void listen(F listener) { listeners.push_back(listener); }
//   for (auto &each : listeners) { int answer = each("text", 2.5); }
#pragma once

#include <farside/call.h>
#include <farside/call_callables.h>
