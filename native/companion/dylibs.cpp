#include "dylibs.h"

#include "orc_runtime.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace farside {

namespace {

constexpr size_t maxDylibs = 256;

using SlotRange = std::tuple<uint64_t, uint64_t>; // an ExecutorAddrRange, to be encoded

template <size_t place> void turnOf() { Dylibs::get().release(place); }

/// One function for each place of the table, because ORC's runtime calls initialisers without
/// arguments.
template <size_t... places> constexpr auto makeTurns(std::index_sequence<places...>) {
  return std::array<void (*)(), sizeof...(places)>{turnOf<places>...};
}
constexpr std::array turns = makeTurns(std::make_index_sequence<maxDylibs>());

Error unknown(const char *what) { return Error(std::string(what) + ": unknown JITDylib header"); }

Error errorOf(const WrapperResult &raw) {
  WrapperBuffer result(raw);
  if (result.isOutOfBandError())
    return Error(result.errorText());
  Reader in(result.bytes());
  bool failed = false;
  std::string text;
  if (!decode(in, failed) || (failed && !decode(in, text)))
    return Error("the ORC runtime gave a malformed answer");
  return failed ? Error(std::move(text)) : Error();
}

template <typename... T> Error callRuntime(WrapperFunction function, const T &...arguments) {
  std::string bytes;
  (encode(bytes, arguments), ...);
  return errorOf(function(bytes.data(), bytes.size()));
}

Error lastRuntimeError(const char *fallback) {
  const char *text = __orc_rt_elfnix_jit_dlerror();
  return Error(text == nullptr ? fallback : text);
}

void *pointer(uint64_t address) { return reinterpret_cast<void *>(address); }

} // namespace

Dylibs &Dylibs::get() {
  static auto *instance = new Dylibs;
  return *instance;
}

Dylibs::Dylib *Dylibs::find(uint64_t header) {
  auto found =
      std::find_if(All.begin(), All.end(), [&](const Dylib &one) { return one.Header == header; });
  return found == All.end() || header == 0 ? nullptr : &*found;
}

Error Dylibs::add(std::string_view name, uint64_t header) {
  {
    std::lock_guard lock(Mutex);
    if (All.size() == maxDylibs)
      return Error("too many JITDylibs for a foreign executor");
  }
  if (Error error = callRuntime(__orc_rt_elfnix_register_jitdylib, name, header))
    return error;
  std::lock_guard lock(Mutex);
  All.push_back({std::string(name), header, {}, {}, false});
  return {};
}

Error Dylibs::remove(uint64_t header) {
  Error handlers = runHandlers(header, 0);
  {
    std::lock_guard lock(Mutex);
    if (Dylib *dylib = find(header))
      dylib->Header = 0;
  }
  Error error = callRuntime(__orc_rt_elfnix_deregister_jitdylib, header);
  return error ? error : handlers;
}

Error Dylibs::hold(uint64_t header) {
  std::string name;
  {
    std::lock_guard lock(Mutex);
    Dylib *dylib = find(header);
    if (dylib == nullptr)
      return unknown("hold_jitdylib");
    name = dylib->Name;
  }
  return open(name).error();
}

Error Dylibs::addInitialisers(uint64_t header, const std::vector<AddrRange> &sections) {
  std::vector<SlotRange> slots;
  {
    std::lock_guard lock(Mutex);
    Dylib *dylib = find(header);
    if (dylib == nullptr)
      return unknown("register_init_sections");
    size_t place = static_cast<size_t>(dylib - All.data());
    for (const AddrRange &range : sections) {
      auto slot = reinterpret_cast<uint64_t>(new (void (*)())(turns[place]));
      dylib->Init.push_back({range, Commit, slot, false});
      slots.emplace_back(slot, slot + sizeof(void *));
    }
  }
  return callRuntime(__orc_rt_elfnix_register_init_sections, header, slots);
}

Error Dylibs::removeInitialisers(uint64_t header, const std::vector<AddrRange> &sections) {
  std::vector<SlotRange> slots;
  {
    std::lock_guard lock(Mutex);
    Dylib *dylib = find(header);
    if (dylib == nullptr)
      return unknown("deregister_init_sections");
    for (const AddrRange &range : sections) {
      auto found = std::find_if(dylib->Init.begin(), dylib->Init.end(),
                                [&](const Section &one) { return one.Range == range; });
      if (found == dylib->Init.end())
        continue;
      slots.emplace_back(found->Slot, found->Slot + sizeof(void *));
      dylib->Init.erase(found);
    }
  }
  Error error = callRuntime(__orc_rt_elfnix_deregister_init_sections, header, slots);
  for (auto [start, end] : slots)
    delete reinterpret_cast<void (**)()>(start);
  return error;
}

Error Dylibs::addFinalisers(uint64_t header, const std::vector<AddrRange> &sections) {
  std::lock_guard lock(Mutex);
  Dylib *dylib = find(header);
  if (dylib == nullptr)
    return unknown("register_fini_sections");
  for (const AddrRange &range : sections)
    dylib->Fini.push_back({range, Commit, 0, false});
  return {};
}

Error Dylibs::removeFinalisers(uint64_t header, const std::vector<AddrRange> &sections) {
  std::lock_guard lock(Mutex);
  Dylib *dylib = find(header);
  if (dylib == nullptr)
    return unknown("deregister_fini_sections");
  for (const AddrRange &range : sections)
    std::erase_if(dylib->Fini, [&](const Section &one) { return one.Range == range; });
  return {};
}

void Dylibs::addMemory(const std::vector<AddrRange> &ranges) {
  std::lock_guard lock(Mutex);
  for (const AddrRange &range : ranges)
    Owned.push_back({range, Commit});
}

void Dylibs::removeMemory(const std::vector<AddrRange> &ranges) {
  std::lock_guard lock(Mutex);
  for (const AddrRange &range : ranges)
    std::erase_if(Owned, [&](const Memory &one) { return one.Range == range; });
}

// ---------------------------------------------------------------- running

void Dylibs::release(size_t place) {
  std::lock_guard lock(Mutex);
  Dylib &dylib = All[place];
  // Finalisers are exit handlers that are there before the initialisers run, so they run last.
  for (Section &section : dylib.Fini)
    if (!std::exchange(section.Done, true))
      for (uint64_t at = section.Range.Start; at < section.Range.End; at += sizeof(void *)) {
        void *function = *static_cast<void **>(pointer(at));
        if (function != nullptr)
          Handlers.push_back({[](void *plain) { reinterpret_cast<void (*)()>(plain)(); }, function,
                              dylib.Header, section.Commit});
      }
  for (Section &section : dylib.Init)
    if (!std::exchange(section.Done, true))
      Released.push_back(section.Range);
}

void Dylibs::releaseFinalisers(uint64_t header) {
  std::lock_guard lock(Mutex);
  // An image without initialisers has given the runtime nothing to call.
  if (Dylib *dylib = find(header))
    release(static_cast<size_t>(dylib - All.data()));
}

RunReport Dylibs::runReleased() {
  RunReport report;
  auto started = std::chrono::steady_clock::now();
  for (;;) {
    void (*function)() = nullptr;
    {
      std::lock_guard lock(Mutex);
      if (Released.empty())
        break;
      AddrRange &range = Released.front();
      if (range.size() >= sizeof(void *))
        function = *static_cast<void (**)()>(pointer(range.Start));
      range.Start += sizeof(void *);
      if (range.Start >= range.End)
        Released.erase(Released.begin());
    }
    if (function == nullptr)
      continue;
    try {
      function();
      ++report.Completed;
    } catch (...) {
      report.Exception = describeCurrentException();
      break;
    }
  }
  report.Nanoseconds = static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - started).count());
  return report;
}

void Dylibs::drop(uint64_t commit) {
  std::lock_guard lock(Mutex);
  for (Dylib &dylib : All)
    for (Section &section : dylib.Init)
      if (section.Commit == commit) {
        section.Done = true;
        std::erase_if(Released, [&](const AddrRange &range) {
          return range.Start >= section.Range.Start && range.End <= section.Range.End;
        });
      }
}

Expected<RunReport> Dylibs::update(uint64_t header) {
  (void)takeException();
  if (__orc_rt_elfnix_jit_dlupdate(pointer(header)) != 0)
    return lastRuntimeError("dlupdate failed");
  releaseFinalisers(header);
  RunReport report = runReleased();
  noteException(report.Exception);
  return report;
}

Expected<uint64_t> Dylibs::open(const std::string &name) {
  (void)takeException();
  void *handle = __orc_rt_elfnix_jit_dlopen(name.c_str(), 1);
  if (handle == nullptr)
    return lastRuntimeError("dlopen failed");
  auto header = reinterpret_cast<uint64_t>(handle);
  arm(header);
  releaseFinalisers(header);
  RunReport report = runReleased();
  noteException(report.Exception);
  if (report.Exception)
    return Error("an initialiser of " + name + " threw " + report.Exception->Type +
                 (report.Exception->What ? ": " + *report.Exception->What : ""));
  return header;
}

void Dylibs::arm(uint64_t header) {
  {
    std::lock_guard lock(Mutex);
    Dylib *dylib = find(header);
    if (dylib == nullptr || std::exchange(dylib->Armed, true))
      return;
  }
  __orc_rt_elfnix_cxa_atexit(
      [](void *gone) { Dylibs::get().noteUnneeded(reinterpret_cast<uint64_t>(gone)); },
      pointer(header), pointer(header));
}

void Dylibs::noteUnneeded(uint64_t header) {
  std::lock_guard lock(Mutex);
  Unneeded.push_back(header);
}

std::optional<ExceptionText> Dylibs::takeException() {
  std::lock_guard lock(Mutex);
  return std::exchange(Thrown, {});
}

void Dylibs::noteException(const std::optional<ExceptionText> &exception) {
  std::lock_guard lock(Mutex);
  Thrown = exception;
}

Error Dylibs::close(uint64_t header) {
  (void)takeException();
  {
    std::lock_guard lock(Mutex);
    Dylib *dylib = find(header);
    if (dylib == nullptr || !dylib->Armed)
      return Error("dlclose: " + (dylib ? "JITDylib " + dylib->Name + " is not open"
                                        : std::string("unknown JITDylib header")));
  }
  if (__orc_rt_elfnix_jit_dlclose(pointer(header)) != 0)
    return lastRuntimeError("dlclose failed");
  std::vector<uint64_t> unneeded;
  {
    std::lock_guard lock(Mutex);
    unneeded = std::exchange(Unneeded, {});
  }
  Error first;
  for (uint64_t gone : unneeded) {
    Error error = runHandlers(gone, 0);
    if (error && !first)
      first = error;
    std::lock_guard lock(Mutex);
    if (Dylib *dylib = find(gone)) {
      dylib->Armed = false;
      for (auto *sections : {&dylib->Init, &dylib->Fini})
        for (Section &section : *sections)
          section.Done = false;
    }
  }
  return first;
}

// ---------------------------------------------------------------- exit handlers

uint64_t Dylibs::ownerOf(uint64_t address) {
  for (const Memory &memory : Owned)
    if (memory.Range.Start <= address && address < memory.Range.End)
      return memory.Commit;
  return 0;
}

bool Dylibs::addExitHandler(uint64_t header, void (*function)(void *), void *argument) {
  std::lock_guard lock(Mutex);
  if (header == 0 && !All.empty())
    header = All.front().Header;
  if (find(header) == nullptr)
    return false;
  uint64_t owner = ownerOf(reinterpret_cast<uint64_t>(argument));
  if (owner == 0)
    owner = ownerOf(reinterpret_cast<uint64_t>(function));
  Handlers.push_back({function, argument, header, owner != 0 ? owner : Commit});
  return true;
}

Error Dylibs::runHandlers(uint64_t header, uint64_t commit) {
  Error first;
  for (;;) {
    ExitHandler handler{};
    {
      std::lock_guard lock(Mutex);
      auto found = std::find_if(Handlers.rbegin(), Handlers.rend(), [&](const ExitHandler &one) {
        return (header == 0 || one.Header == header) && (commit == 0 || one.Commit == commit);
      });
      if (found == Handlers.rend())
        return first;
      handler = *found;
      Handlers.erase(std::next(found).base());
    }
    try {
      handler.Function(handler.Argument);
    } catch (...) {
      ExceptionText thrown = describeCurrentException();
      if (!first) {
        first = Error("an exit handler threw " + thrown.Type);
        noteException(thrown);
      }
    }
  }
}

Error Dylibs::runExitHandlers(uint64_t commit) { return runHandlers(0, commit); }

Dylibs::Counts Dylibs::counts() {
  std::lock_guard lock(Mutex);
  uint64_t live = 0;
  uint64_t init = 0;
  uint64_t fini = 0;
  for (const Dylib &dylib : All) {
    live += dylib.Header != 0;
    init += dylib.Init.size();
    fini += dylib.Fini.size();
  }
  return {{"jitdylibs", live},
          {"init_sections", init},
          {"fini_sections", fini},
          {"exit_handlers", Handlers.size()},
          {"memory_ranges", Owned.size()}};
}

} // namespace farside
