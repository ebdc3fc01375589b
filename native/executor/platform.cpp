#include "platform.h"

#include "exit_handlers.h"
#include "user_code.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C" char **environ;

namespace farside {

namespace {

constexpr uint64_t pointerSize = sizeof(uint64_t);

uint64_t nanosecondsNow() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

/// Asks the kernel, so that a range which is not there is an error and no crash. Where the kernel
/// may not be asked, the range is believed.
bool isReadable(AddrRange range) {
  constexpr uint64_t page = 4096;
  for (uint64_t at = range.Start; at < range.End; at = (at & ~(page - 1)) + page) {
    char byte = 0;
    iovec local{&byte, 1};
    iovec remote{reinterpret_cast<void *>(at), 1};
    if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) < 0 && errno == EFAULT)
      return false;
  }
  return true;
}

Error checkPointerSections(const char *what, const std::vector<AddrRange> &sections) {
  for (const AddrRange &section : sections) {
    if (section.Start > section.End || ((section.Start | section.End) & (pointerSize - 1)) != 0)
      return Error(std::string(what) + ": a section is not a whole number of aligned pointers");
    if (!isReadable(section))
      return Error(std::string(what) + ": a section lies in no memory");
  }
  return {};
}

/// glibc passes main's arguments to initialisers, and programs have come to rely on it.
void callInitialiser(uint64_t function) {
  static char name[] = "farside";
  static char *arguments[] = {name, nullptr};
  callUserCode(reinterpret_cast<void (*)(int, char **, char **)>(function), 1, arguments, environ);
}

} // namespace

Error unknownHeader(const char *what, uint64_t header) {
  char text[120];
  std::snprintf(text, sizeof text, "%s: no JITDylib has the header 0x%" PRIx64, what, header);
  return Error(text);
}

std::string exceptionSentence(const ExceptionText &exception) {
  return "uncaught exception of type " + exception.Type +
         (exception.What ? ": " + *exception.What : "");
}

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

// ---------------------------------------------------------------------- whose code runs

Platform::CodeScope::CodeScope(uint64_t header, uint64_t commit) {
  Platform &platform = Platform::get();
  std::lock_guard lock(platform.Mutex);
  Outer = platform.Running;
  ++platform.Depth;
  if (header != 0)
    platform.Running.Header = header;
  if (commit != 0)
    platform.Running.Commit = commit;
}

Platform::CodeScope::~CodeScope() {
  Platform &platform = Platform::get();
  std::lock_guard lock(platform.Mutex);
  platform.Running.Commit = Outer.Commit;
  if (--platform.Depth != 0)
    platform.Running.Header = Outer.Header;
}

Error Platform::registerMemory(uint64_t header, const std::vector<AddrRange> &ranges) {
  std::lock_guard lock(Mutex);
  if (find(header) == nullptr)
    return unknownHeader("register_memory", header);
  for (const AddrRange &range : ranges)
    if (range.Start >= range.End || Memory.contains(range.Start))
      return Error("register_memory: a range is empty or registered already");
  for (const AddrRange &range : ranges)
    Memory[range.Start] = {range.End, {header, Running.Commit}};
  return {};
}

Error Platform::deregisterMemory(uint64_t, const std::vector<AddrRange> &ranges) {
  std::lock_guard lock(Mutex);
  for (const AddrRange &range : ranges)
    Memory.erase(range.Start);
  return {};
}

CodeOwner Platform::ownerLocked(std::initializer_list<uint64_t> addresses) {
  for (uint64_t address : addresses) {
    auto after = Memory.upper_bound(address);
    if (after != Memory.begin() && address < std::prev(after)->second.End)
      return std::prev(after)->second.Owner;
  }
  return Running;
}

CodeOwner Platform::ownerOf(std::initializer_list<uint64_t> addresses) {
  std::lock_guard lock(Mutex);
  return ownerLocked(addresses);
}

// ---------------------------------------------------------------------- registration

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
  if (Depth == 0)
    Running.Header = header;
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
  for (auto &[other, dylib] : JitDylibs) {
    std::erase(dylib.LinkOrder, header);
    std::erase(dylib.Needs, header);
  }
  if (Running.Header == header)
    Running.Header = JitDylibs.empty() ? 0 : JitDylibs.begin()->first;
  return error;
}

Error Platform::registerSections(const char *what, Sections JitDylib::*kind, uint64_t header,
                                 const std::vector<AddrRange> &sections) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader(what, header);
  if (Error error = checkPointerSections(what, sections))
    return error;
  (dylib->*kind).add(sections, Running.Commit);
  return {};
}

Error Platform::deregisterSections(const char *what, Sections JitDylib::*kind, uint64_t header,
                                   const std::vector<AddrRange> &sections) {
  std::lock_guard lock(Mutex);
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return unknownHeader(what, header);
  for (const AddrRange &section : sections)
    if (!(dylib->*kind).remove(section))
      return Error(std::string(what) + ": a section is not registered");
  return {};
}

Error Platform::registerInitSections(uint64_t header, const std::vector<AddrRange> &sections) {
  return registerSections("register_init_sections", &JitDylib::Init, header, sections);
}

Error Platform::deregisterInitSections(uint64_t header, const std::vector<AddrRange> &sections) {
  return deregisterSections("deregister_init_sections", &JitDylib::Init, header, sections);
}

Error Platform::registerFiniSections(uint64_t header, const std::vector<AddrRange> &sections) {
  return registerSections("register_fini_sections", &JitDylib::Fini, header, sections);
}

Error Platform::deregisterFiniSections(uint64_t header, const std::vector<AddrRange> &sections) {
  return deregisterSections("deregister_fini_sections", &JitDylib::Fini, header, sections);
}

// ---------------------------------------------------------------------- running

void Platform::Sections::add(const std::vector<AddrRange> &ranges, uint64_t commit) {
  for (const AddrRange &range : ranges)
    All.push_back({range, commit, range.Start, 0});
}

bool Platform::Sections::remove(const AddrRange &range) {
  // What goes came last in most cases.
  auto found = std::find_if(All.rbegin(), All.rend(),
                            [&](const Section &section) { return section.Range == range; });
  if (found == All.rend())
    return false;
  auto index = static_cast<size_t>(std::distance(found, All.rend())) - 1;
  All.erase(std::next(found).base());
  Done -= index < Done;
  return true;
}

void Platform::Sections::claim(uint64_t run) {
  for (size_t i = Done; i != All.size(); ++i)
    if (All[i].Run == 0)
      All[i].Run = run;
}

void Platform::Sections::release(uint64_t run) {
  for (size_t i = Done; i != All.size(); ++i)
    if (All[i].Run == run)
      All[i].Run = 0;
}

CodeOwner Platform::Sections::takeNext(uint64_t run, uint64_t &function) {
  while (Done != All.size() && All[Done].Next == All[Done].Range.End)
    ++Done;
  for (size_t i = Done; i != All.size(); ++i) {
    Section &section = All[i];
    while (section.Run == run && section.Next != section.Range.End) {
      function = *reinterpret_cast<const uint64_t *>(section.Next);
      section.Next += pointerSize;
      if (function != 0 && function != ~uint64_t{0}) // empty slots and the end marks of .ctors
        return {0, section.Commit};
    }
  }
  function = 0;
  return {};
}

void Platform::Sections::drop(uint64_t commit) {
  for (size_t i = Done; i != All.size(); ++i)
    if (All[i].Commit == commit)
      All[i].Next = All[i].Range.End;
}

void Platform::Sections::reset() {
  Done = 0;
  for (Section &section : All) {
    section.Next = section.Range.Start;
    section.Run = 0;
  }
}

/// Books what finalisers there are before it returns an initialiser.
CodeOwner Platform::takeInitialiser(uint64_t header, uint64_t run, uint64_t &function) {
  std::lock_guard lock(Mutex);
  function = 0;
  JitDylib *dylib = find(header);
  if (dylib == nullptr)
    return {};
  dylib->Fini.claim(run);
  for (;;) {
    CodeOwner owner = dylib->Fini.takeNext(run, function);
    if (function == 0)
      break;
    dylib->AtExit.push_back(
        {reinterpret_cast<void (*)(void *)>(function), nullptr, owner.Commit, NextOrder++});
  }
  CodeOwner owner = dylib->Init.takeNext(run, function);
  if (function == 0) { // anything that has arrived meanwhile?
    dylib->Init.claim(run);
    owner = dylib->Init.takeNext(run, function);
  }
  owner.Header = header;
  return owner;
}

void Platform::releaseRun(uint64_t header, uint64_t run) {
  std::lock_guard lock(Mutex);
  if (JitDylib *dylib = find(header))
    dylib->Init.release(run);
}

void Platform::dropFresh(uint64_t header, uint64_t commit) {
  std::lock_guard lock(Mutex);
  if (JitDylib *dylib = find(header))
    dylib->Init.drop(commit);
}

Expected<RunReport> Platform::update(uint64_t header) {
  uint64_t run = 0;
  {
    std::lock_guard lock(Mutex);
    if (find(header) == nullptr)
      return unknownHeader("dlupdate", header);
    run = NextRun++;
  }
  RunReport report;
  uint64_t start = nanosecondsNow();
  CodeScope scope(header, 0);
  try {
    for (;;) {
      uint64_t function = 0;
      CodeOwner owner = takeInitialiser(header, run, function);
      if (function == 0)
        break;
      CodeScope inner(owner.Header, owner.Commit);
      callInitialiser(function);
      ++report.Completed;
    }
  } catch (...) {
    report.Exception = describeCurrentException();
    releaseRun(header, run);
  }
  report.Nanoseconds = nanosecondsNow() - start;
  return report;
}

PlatformCounts Platform::counts() {
  std::lock_guard lock(Mutex);
  PlatformCounts counts;
  counts.JitDylibs = JitDylibs.size();
  counts.MemoryRanges = Memory.size();
  for (const auto &[header, dylib] : JitDylibs) {
    counts.InitSections += dylib.Init.All.size();
    counts.FiniSections += dylib.Fini.All.size();
    counts.ExitHandlers += dylib.AtExit.size() + dylib.AtQuickExit.size();
  }
  return counts;
}

} // namespace farside
