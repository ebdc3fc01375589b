#include "platform.h"

#include "exit_handlers.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <pthread.h>

extern "C" char **environ;

namespace farside {

namespace {

uint64_t nanosecondsNow() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

Error unknownHeader(const char *what, uint64_t header) {
  char text[120];
  std::snprintf(text, sizeof text, "%s: no JITDylib has the header 0x%" PRIx64, what, header);
  return Error(text);
}

Error checkPointerSections(const std::vector<AddrRange> &sections) {
  for (const AddrRange &section : sections)
    if (section.Start > section.End || ((section.Start | section.End) & 7) != 0)
      return Error("initialiser section that is not a whole number of aligned pointers");
  return {};
}

/// glibc passes main's arguments to initialisers, and programs have come to rely on it.
using Initialiser = void (*)(int argc, char **argv, char **envp);

void runSection(AddrRange section, uint64_t &completed) {
  static char name[] = "farside";
  static char *arguments[] = {name, nullptr};
  for (uint64_t at = section.Start; at != section.End; at += sizeof(uint64_t)) {
    uint64_t function = *reinterpret_cast<const uint64_t *>(at);
    if (function == 0 || function == ~uint64_t{0})
      continue; // empty slots and the end marks of .ctors
    reinterpret_cast<Initialiser>(function)(1, arguments, environ);
    ++completed;
  }
}

std::string exceptionSentence(const ExceptionText &exception) {
  return "uncaught exception of type " + exception.Type +
         (exception.What ? ": " + *exception.What : "");
}

} // namespace

Platform &Platform::get() {
  // Never destroyed: its own handlers run while the process exits.
  static auto *platform = [] {
    // A fork may come at any time, from any thread; the child must find the lock free.
    ::pthread_atfork([] { get().Mutex.lock(); }, [] { get().Mutex.unlock(); },
                     [] { get().Mutex.unlock(); });
    return new Platform;
  }();
  return *platform;
}

Platform::CommitScope::CommitScope(uint64_t commit) : Outer(Platform::get().CurrentCommit) {
  Platform::get().CurrentCommit = commit;
}

Platform::CommitScope::~CommitScope() { Platform::get().CurrentCommit = Outer; }

Platform::JitDylib *Platform::find(uint64_t header) {
  auto found = JitDylibs.find(header);
  return found == JitDylibs.end() ? nullptr : &found->second;
}

Error Platform::registerJitDylib(std::string_view name, uint64_t header) {
  std::lock_guard lock(Mutex);
  bool known = std::any_of(JitDylibs.begin(), JitDylibs.end(), [&](const auto &entry) {
    return entry.first == header || entry.second.Name == name;
  });
  if (known)
    return Error("duplicate registration of JITDylib " + std::string(name));
  JitDylibs[header].Name = name;
  LastHeader = header;
  return {};
}

Error Platform::deregisterJitDylib(uint64_t header) {
  {
    std::lock_guard lock(Mutex);
    if (find(header) == nullptr)
      return unknownHeader("deregister_jitdylib", header);
  }
  runThreadExits({header, 0});
  Error error = runHandlersGuarded({header, 0, false});
  std::lock_guard lock(Mutex);
  JitDylibs.erase(header);
  if (LastHeader == header)
    LastHeader = JitDylibs.empty() ? 0 : JitDylibs.begin()->first;
  return error;
}

Error Platform::registerInitSections(uint64_t header, const std::vector<AddrRange> &sections) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader("register_init_sections", header);
  if (Error error = checkPointerSections(sections))
    return error;
  dylib->Fresh.insert(dylib->Fresh.end(), sections.begin(), sections.end());
  return {};
}

Error Platform::deregisterInitSections(uint64_t header, const std::vector<AddrRange> &sections) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader("deregister_init_sections", header);
  auto removeFrom = [](auto &list, const AddrRange &section) {
    // What goes came last in most cases.
    auto found = std::find(list.rbegin(), list.rend(), section);
    if (found == list.rend())
      return false;
    list.erase(std::next(found).base());
    return true;
  };
  for (const AddrRange &section : sections)
    if (!removeFrom(dylib->Processed, section) && !removeFrom(dylib->Fresh, section))
      return Error("deregister_init_sections: a section is not registered");
  return {};
}

Error Platform::registerFiniSections(uint64_t header, const std::vector<AddrRange> &sections) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader("register_fini_sections", header);
  if (Error error = checkPointerSections(sections))
    return error;
  for (const AddrRange &section : sections)
    for (uint64_t at = section.Start; at != section.End; at += sizeof(uint64_t)) {
      auto function = *reinterpret_cast<void (*const *)(void *)>(at);
      dylib->AtExit.push_back({function, nullptr, CurrentCommit, NextOrder++});
    }
  return {};
}

std::optional<AddrRange> Platform::takeFresh(uint64_t header) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr || dylib->Fresh.empty())
    return std::nullopt;
  AddrRange section = dylib->Fresh.front();
  dylib->Fresh.pop_front();
  dylib->Processed.push_back(section);
  LastHeader = header;
  return section;
}

void Platform::dropFresh(uint64_t header) {
  std::lock_guard lock(Mutex);
  if (JitDylib *dylib = find(header)) {
    dylib->Processed.insert(dylib->Processed.end(), dylib->Fresh.begin(), dylib->Fresh.end());
    dylib->Fresh.clear();
  }
}

Expected<RunReport> Platform::update(uint64_t header) {
  {
    std::lock_guard lock(Mutex);
    if (find(header) == nullptr)
      return unknownHeader("dlupdate", header);
    LastHeader = header;
  }
  RunReport report;
  uint64_t start = nanosecondsNow();
  try {
    while (auto section = takeFresh(header))
      runSection(*section, report.Completed);
  } catch (...) {
    report.Exception = describeCurrentException();
  }
  report.Nanoseconds = nanosecondsNow() - start;
  if (report.Exception)
    dropFresh(header);
  return report;
}

Expected<uint64_t> Platform::open(std::string_view name) {
  uint64_t header = 0;
  {
    std::lock_guard lock(Mutex);
    auto found = std::find_if(JitDylibs.begin(), JitDylibs.end(),
                              [&](const auto &entry) { return entry.second.Name == name; });
    if (found == JitDylibs.end())
      return Error("dlopen: no JITDylib is named " + std::string(name));
    header = found->first;
    ++found->second.References;
  }
  auto report = update(header);
  if (!report)
    return report.error();
  if ((*report).Exception)
    return Error("dlopen: " + exceptionSentence(*(*report).Exception));
  return header;
}

Error Platform::close(uint64_t header) {
  {
    std::lock_guard lock(Mutex);
    JitDylib *dylib = find(header);
    if (dylib == nullptr)
      return unknownHeader("dlclose", header);
    if (dylib->References == 0)
      return Error("dlclose: JITDylib " + dylib->Name + " is not open");
    if (--dylib->References != 0)
      return {};
  }
  runThreadExits({header, 0});
  Error error = runHandlersGuarded({header, 0, false});
  std::lock_guard lock(Mutex);
  if (JitDylib *dylib = find(header)) {
    dylib->Fresh.insert(dylib->Fresh.begin(), dylib->Processed.begin(), dylib->Processed.end());
    dylib->Processed.clear();
  }
  return error;
}

bool Platform::addExitHandler(uint64_t header, void (*function)(void *), void *argument,
                              bool quick) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header == 0 ? LastHeader : header);
  if (dylib == nullptr)
    return false;
  (quick ? dylib->AtQuickExit : dylib->AtExit)
      .push_back({function, argument, CurrentCommit, NextOrder++});
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
    try {
      handler->Function(handler->Argument);
    } catch (...) {
      failures += (failures.empty() ? "exit handler: " : "; ") +
                  exceptionSentence(describeCurrentException());
    }
  }
  return failures.empty() ? Error() : Error(std::move(failures));
}

Error Platform::finishCommit(uint64_t commit) {
  CommitScope scope(commit); // handlers that these register are of this commit, too
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
    handler->Function(handler->Argument);
}

} // namespace farside
