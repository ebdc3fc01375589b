// Opening and closing JITDylibs: dependencies, references, what goes when nobody needs it.
#include "dlfcn.h"
#include "exit_handlers.h"
#include "platform.h"
#include "tls.h"

#include <algorithm>

namespace farside {

Error Platform::setLinkOrder(uint64_t header, const std::vector<uint64_t> &order) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader("set_link_order", header);
  for (uint64_t other : order)
    if (find(other) == nullptr)
      return unknownHeader("set_link_order", other);
  dylib->LinkOrder = order;
  return {};
}

Error Platform::hold(uint64_t header) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader("hold_jitdylib", header);
  dylib->Held = true;
  dylib->Open = true;
  return {};
}

/// Appends the JITDylib and all that it depends on which is not there yet, dependencies first. In a
/// cycle, the one that is asked for comes last. `which` says what it depends on: what it would be
/// opened with, or what it was opened with. The lock is held.
void Platform::addDependencies(uint64_t header, std::vector<uint64_t> JitDylib::*which,
                               std::vector<uint64_t> &found) {
  // An explicit stack: a chain of dependencies may be long. Each level is a JITDylib and the next
  // place in its link order.
  std::vector<std::pair<uint64_t, size_t>> path{{header, 0}};
  std::vector<uint64_t> seen(found);
  seen.push_back(header);
  while (!path.empty()) {
    auto &[current, next] = path.back();
    const JitDylib *dylib = find(current);
    if (dylib == nullptr || next == (dylib->*which).size()) {
      if (dylib != nullptr)
        found.push_back(current);
      path.pop_back();
      continue;
    }
    uint64_t needed = (dylib->*which)[next++];
    if (std::find(seen.begin(), seen.end(), needed) == seen.end()) {
      seen.push_back(needed);
      path.emplace_back(needed, 0);
    }
  }
}

Error Platform::initialise(uint64_t header) {
  auto report = update(header);
  if (!report)
    return report.error();
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader("dlopen", header);
  if ((*report).Exception)
    return Error("dlopen: JITDylib " + dylib->Name + ": " + explainException(*(*report).Exception));
  dylib->Needs = dylib->LinkOrder;
  if (!dylib->Open) {
    dylib->Open = true;
    dylib->OpenOrder = NextOpen++;
  }
  return {};
}

Expected<uint64_t> Platform::open(std::string_view name) {
  uint64_t header = 0;
  std::vector<uint64_t> needed;
  {
    std::lock_guard lock(Mutex);
    auto found = std::find_if(JitDylibs.begin(), JitDylibs.end(),
                              [&](const auto &entry) { return entry.second.Name == name; });
    if (found == JitDylibs.end())
      return Error("dlopen: no JITDylib is named " + std::string(name));
    header = found->first;
    addDependencies(header, &JitDylib::LinkOrder, needed);
    for (uint64_t each : needed)
      if (find(each)->Closing)
        return Error("dlopen: JITDylib " + find(each)->Name + " is being closed");
    // Counted first: what an initialiser closes must not take this one along.
    ++found->second.References;
  }
  for (uint64_t each : needed)
    if (Error error = initialise(each)) {
      std::lock_guard lock(Mutex);
      if (JitDylib *dylib = find(header))
        --dylib->References;
      return error;
    }
  return header;
}

Expected<bool> Platform::isOpen(uint64_t header) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader("dlupdate", header);
  return dylib->Open || dylib->References != 0;
}

/// Marks as closing what is open, and what neither references nor the session nor the dependencies
/// of others keep open, and returns it, last initialised first. The lock is held. References alone
/// could not tell that a cycle of JITDylibs is no longer needed by anybody.
std::vector<uint64_t> Platform::takeUnneeded() {
  std::vector<uint64_t> needed;
  for (const auto &[header, dylib] : JitDylibs)
    if ((dylib.References != 0 || dylib.Held) &&
        std::find(needed.begin(), needed.end(), header) == needed.end())
      addDependencies(header, &JitDylib::Needs, needed);
  std::vector<uint64_t> unneeded;
  for (auto &[header, dylib] : JitDylibs)
    if (dylib.Open && !dylib.Closing &&
        std::find(needed.begin(), needed.end(), header) == needed.end()) {
      dylib.Closing = true;
      unneeded.push_back(header);
    }
  std::sort(unneeded.begin(), unneeded.end(), [&](uint64_t left, uint64_t right) {
    return find(left)->OpenOrder > find(right)->OpenOrder;
  });
  return unneeded;
}

/// Runs the exit handlers of a JITDylib that is closing and resets it.
Error Platform::finish(uint64_t header) {
  CodeScope scope(header, 0);
  runThreadExits({header, 0});
  Error error = runHandlersGuarded({header, 0, false});
  std::lock_guard lock(Mutex);
  // Their thread_local variables are constructed again, too.
  for (const auto &[start, range] : Memory)
    if (range.Owner.Header == header) {
      dropThreadInstances({start, range.End});
      resetStaticTls({start, range.End});
    }
  if (JitDylib *dylib = find(header)) {
    dylib->Init.reset();
    dylib->Fini.reset();
    dylib->AtQuickExit.clear();
    dylib->Needs.clear();
    dylib->Open = false;
    dylib->Closing = false;
  }
  return error;
}

Error Platform::close(uint64_t header) {
  std::vector<uint64_t> unneeded;
  {
    std::lock_guard lock(Mutex);
    JitDylib *dylib = find(header);
    if (dylib == nullptr)
      return unknownHeader("dlclose", header);
    if (dylib->References == 0)
      return Error("dlclose: JITDylib " + dylib->Name + " is not open");
    if (--dylib->References != 0)
      return {};
    unneeded = takeUnneeded();
  }
  std::string failures;
  for (uint64_t each : unneeded)
    if (Error error = finish(each))
      failures += (failures.empty() ? "" : "; ") + error.text();
  return failures.empty() ? Error() : Error(std::move(failures));
}

} // namespace farside
