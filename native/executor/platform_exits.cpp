// The exit handlers that the platform keeps: booking them, running them in reverse.
#include "dlfcn.h"
#include "exit_handlers.h"
#include "platform.h"
#include "user_code.h"

#include <algorithm>

namespace farside {

bool Platform::addExitHandler(uint64_t header, void (*function)(void *), void *argument,
                              bool quick) {
  std::lock_guard lock(Mutex);
  CodeOwner owner =
      ownerLocked({reinterpret_cast<uint64_t>(argument), reinterpret_cast<uint64_t>(function)});
  JitDylib *dylib = find(header == 0 ? owner.Header : header);
  if (dylib == nullptr)
    return false;
  (quick ? dylib->AtQuickExit : dylib->AtExit)
      .push_back({function, argument, owner.Commit, NextOrder++});
  return true;
}

std::optional<Platform::ExitHandler> Platform::takeHandler(const HandlerFilter &filter) {
  std::lock_guard lock(Mutex);
  std::vector<ExitHandler> *best = nullptr;
  size_t bestIndex = 0;
  for (auto &[header, dylib] : JitDylibs) {
    if (filter.Header != 0 && header != filter.Header)
      continue;
    auto &handlers = filter.Quick ? dylib.AtQuickExit : dylib.AtExit;
    for (size_t i = handlers.size(); i-- != 0;) {
      if (filter.Commit != 0 && handlers[i].Commit != filter.Commit)
        continue;
      if (best == nullptr || handlers[i].Order > (*best)[bestIndex].Order) {
        best = &handlers;
        bestIndex = i;
      }
      break;
    }
  }
  if (best == nullptr)
    return std::nullopt;
  ExitHandler handler = (*best)[bestIndex];
  best->erase(best->begin() + static_cast<std::ptrdiff_t>(bestIndex));
  return handler;
}

Error Platform::runHandlersGuarded(const HandlerFilter &filter) {
  std::string failures;
  while (auto handler = takeHandler(filter)) {
    CodeScope scope(filter.Header, handler->Commit);
    try {
      callUserCode(handler->Function, handler->Argument);
    } catch (...) {
      failures += (failures.empty() ? "exit handler: " : "; ") +
                  explainException(describeCurrentException());
    }
  }
  return failures.empty() ? Error() : Error(std::move(failures));
}

Error Platform::finishCommit(uint64_t commit) {
  CodeScope scope(0, commit); // handlers that these register are of this commit, too
  runThreadExits({0, commit});
  Error error = runHandlersGuarded({0, commit, false});
  std::lock_guard lock(Mutex);
  for (auto &[header, dylib] : JitDylibs)
    std::erase_if(dylib.AtQuickExit,
                  [&](const ExitHandler &handler) { return handler.Commit == commit; });
  return error;
}

void Platform::runAllExitHandlers(bool quick) {
  while (auto handler = takeHandler({0, 0, quick}))
    callUserCode(handler->Function, handler->Argument);
}

Error Platform::finishAll() { return runHandlersGuarded({}); }

} // namespace farside
