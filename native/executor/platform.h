// The ELF platform of ORC's runtime, natively: the far side's state of each JITDylib.
//
// A JITDylib is to linked code what a shared library is to the dynamic loader. It is known by the
// address of its `__dso_handle`, its **header**. Initialisers are pushed: when an object arrives
// its initialiser sections join the JITDylib's *fresh* list, and `update` runs what is fresh, in
// order of arrival, and makes it *processed*. `close` runs the exit handlers in reverse and makes
// everything fresh again, so that a later `open` initialises anew.
//
// No lock is held while user code runs: an initialiser may register handlers, open and update
// JITDylibs, and commit further code.
#pragma once

#include "exception_text.h"
#include "sps.h"

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace farside {

/// What running initialisers came to.
struct RunReport {
  uint64_t Completed = 0; // initialisers that returned
  uint64_t Nanoseconds = 0;
  std::optional<ExceptionText> Exception;
};

class Platform {
public:
  static Platform &get();

  Error registerJitDylib(std::string_view name, uint64_t header);
  /// Runs what is left of its exit handlers, then forgets it.
  Error deregisterJitDylib(uint64_t header);

  Error registerInitSections(uint64_t header, const std::vector<AddrRange> &sections);
  Error deregisterInitSections(uint64_t header, const std::vector<AddrRange> &sections);
  /// Books the functions as exit handlers of the running commit, so that they run last to first,
  /// after the handlers that the initialisers register.
  Error registerFiniSections(uint64_t header, const std::vector<AddrRange> &sections);

  /// Opens by name, running fresh initialisers; counts references. The header, or what went wrong.
  Expected<uint64_t> open(std::string_view name);
  /// Drops a reference; the last one runs the exit handlers and resets the initialisers.
  Error close(uint64_t header);

  /// Runs the fresh initialisers. When one throws, those after it are dropped: they count as run,
  /// and what was done before it stays.
  Expected<RunReport> update(uint64_t header);

  /// Books a handler; false if no JITDylib has this header. Header 0 stands for the JITDylib whose
  /// code runs, or ran last.
  bool addExitHandler(uint64_t header, void (*function)(void *), void *argument, bool quick);

  /// Runs, in reverse, the exit handlers that were registered while this commit ran.
  Error finishCommit(uint64_t commit);

  /// Runs all exit handlers, of all JITDylibs, in reverse order of registration.
  void runAllExitHandlers(bool quick);

  /// The commit whose code runs; 0 outside any.
  uint64_t currentCommit() const { return CurrentCommit; }

  /// Marks a commit as running, for the life of the object.
  class CommitScope {
  public:
    explicit CommitScope(uint64_t commit);
    ~CommitScope();
    CommitScope(const CommitScope &) = delete;
    CommitScope &operator=(const CommitScope &) = delete;

  private:
    uint64_t Outer;
  };

private:
  struct ExitHandler {
    void (*Function)(void *);
    void *Argument;
    uint64_t Commit;
    uint64_t Order; // of registration, over all JITDylibs
  };

  struct JitDylib {
    std::string Name;
    uint64_t References = 0;
    std::deque<AddrRange> Fresh;
    std::vector<AddrRange> Processed;
    std::vector<ExitHandler> AtExit;
    std::vector<ExitHandler> AtQuickExit;
  };

  /// Which handlers to run next; 0 matches all.
  struct HandlerFilter {
    uint64_t Header = 0;
    uint64_t Commit = 0;
    bool Quick = false;
  };

  JitDylib *find(uint64_t header);
  std::optional<AddrRange> takeFresh(uint64_t header);
  std::optional<ExitHandler> takeHandler(const HandlerFilter &filter);
  Error runHandlersGuarded(const HandlerFilter &filter);
  void dropFresh(uint64_t header);

  std::mutex Mutex;
  std::map<uint64_t, JitDylib> JitDylibs; // by header
  uint64_t LastHeader = 0;
  uint64_t NextOrder = 0;
  uint64_t CurrentCommit = 0;
};

} // namespace farside
