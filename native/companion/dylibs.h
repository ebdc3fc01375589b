// The JITDylibs of a foreign executor: ORC's runtime keeps them, and this adds what it lacks.
//
// Initialisers are pushed to ORC's runtime and run by its `dlopen` and `dlupdate`, but not as they
// are: in their place each commit gives the runtime one function, which notes that the turn of its
// JITDylib has come. When the runtime has returned, the initialisers are run from here. So a C++
// exception that leaves one is caught before it meets the runtime's frames, which cannot pass it
// on, and no lock of the runtime is held while user code runs.
//
// Exit handlers are kept here and not in the runtime, which cannot take back those of code that
// goes, and books `atexit` where it never runs. The runtime is given one handler for each open
// JITDylib, by which it tells that the last reference is gone.
#pragma once

#include "run_report.h"
#include "sps.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace farside {

class Dylibs {
public:
  static Dylibs &get();

  Error add(std::string_view name, uint64_t header);
  Error remove(uint64_t header);
  /// Keeps it open until `finishAll`.
  Error hold(uint64_t header);

  Error addInitialisers(uint64_t header, const std::vector<AddrRange> &sections);
  Error removeInitialisers(uint64_t header, const std::vector<AddrRange> &sections);
  Error addFinalisers(uint64_t header, const std::vector<AddrRange> &sections);
  Error removeFinalisers(uint64_t header, const std::vector<AddrRange> &sections);
  void addMemory(const std::vector<AddrRange> &ranges);
  void removeMemory(const std::vector<AddrRange> &ranges);

  /// ORC's `dlupdate`, then the initialisers whose turn has come.
  Expected<RunReport> update(uint64_t header);
  Expected<uint64_t> open(const std::string &name);
  Error close(uint64_t header);
  /// What was thrown in the last `open`, `update` or `close` that failed, if that is why.
  std::optional<ExceptionText> takeException();

  /// Books an exit handler, on the commit that owns `function` or `argument`, or else runs now.
  bool addExitHandler(uint64_t header, void (*function)(void *), void *argument);
  /// Runs the exit handlers of one commit's code; 0 stands for all.
  Error runExitHandlers(uint64_t commit);

  /// The commit that is being carried out, 0 for none.
  void setCommit(uint64_t commit) { Commit = commit; }
  uint64_t commit() const { return Commit; }
  /// Makes the initialisers of a commit that have not run count as run.
  void drop(uint64_t commit);

  using Counts = std::vector<std::tuple<std::string, uint64_t>>;
  Counts counts();

  /// Called by ORC's runtime: the turn of the JITDylib in this place of the table has come.
  void release(size_t place);
  /// Called by ORC's runtime: nobody needs this JITDylib any more.
  void noteUnneeded(uint64_t header);

private:
  struct Section {
    AddrRange Range;
    uint64_t Commit;
    uint64_t Slot; // for ORC's runtime: the address of one pointer to a function
    bool Done = false;
  };
  struct Dylib {
    std::string Name;
    uint64_t Header;
    std::vector<Section> Init;
    std::vector<Section> Fini;
    bool Armed = false; // ORC's runtime has our handler
  };
  struct ExitHandler {
    void (*Function)(void *);
    void *Argument;
    uint64_t Header;
    uint64_t Commit;
  };
  struct Memory {
    AddrRange Range;
    uint64_t Commit;
  };

  Dylib *find(uint64_t header);
  void noteException(const std::optional<ExceptionText> &exception);
  void arm(uint64_t header);
  void releaseFinalisers(uint64_t header);
  RunReport runReleased();
  Error runHandlers(uint64_t header, uint64_t commit);
  uint64_t ownerOf(uint64_t address);

  std::recursive_mutex Mutex; // not held while user code or ORC's runtime runs
  std::vector<Dylib> All;     // a place is never given to another; header 0 has gone
  std::vector<AddrRange> Released;
  std::vector<uint64_t> Unneeded;
  std::vector<ExitHandler> Handlers;
  std::vector<Memory> Owned;
  uint64_t Commit = 0;
  std::optional<ExceptionText> Thrown;
};

} // namespace farside
