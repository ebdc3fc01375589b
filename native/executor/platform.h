// The ELF platform of ORC's runtime, natively: the far side's state of each JITDylib.
//
// A JITDylib is to linked code what a shared library is to the dynamic loader. It is known by the
// address of its `__dso_handle`, its **header**. Initialisers are pushed: when an object arrives
// its initialiser sections join those of its JITDylib, and `update` runs what has not run, in order
// of arrival, each function once. Link orders are pushed, too, so `open` initialises what a
// JITDylib depends on without asking anybody. `close` runs the exit handlers in reverse and makes
// everything fresh again, so that a later `open` initialises anew.
//
// No lock is held while user code runs: an initialiser may register handlers, open and update
// JITDylibs, and commit further code.
#pragma once

#include "run_report.h"
#include "sps.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace farside {

/// Whose code it is: a JITDylib's, and there a commit's. 0 where nobody knows.
struct CodeOwner {
  uint64_t Header = 0;
  uint64_t Commit = 0;
};

/// How much the platform keeps; what has gone must not be counted in it.
struct PlatformCounts {
  uint64_t JitDylibs = 0;
  uint64_t InitSections = 0;
  uint64_t FiniSections = 0;
  uint64_t ExitHandlers = 0;
  uint64_t MemoryRanges = 0;
};

class Platform {
public:
  static Platform &get();

  // ------------------------------------------------------------------ what the near side pushes

  Error registerJitDylib(std::string_view name, uint64_t header);
  /// Runs what is left of its exit handlers, then forgets it.
  Error deregisterJitDylib(uint64_t header);

  /// The JITDylibs that `header` depends on, itself left out, in the order in which symbols are
  /// looked for. Replaces an earlier order.
  Error setLinkOrder(uint64_t header, const std::vector<uint64_t> &order);

  /// Makes the JITDylib one that no `close` ends: its user is the session itself.
  Error hold(uint64_t header);

  Error registerInitSections(uint64_t header, const std::vector<AddrRange> &sections);
  Error deregisterInitSections(uint64_t header, const std::vector<AddrRange> &sections);
  /// The functions become exit handlers at the next `update`, before it runs initialisers, so they
  /// run last to first, after the handlers that the initialisers register.
  Error registerFiniSections(uint64_t header, const std::vector<AddrRange> &sections);
  Error deregisterFiniSections(uint64_t header, const std::vector<AddrRange> &sections);

  /// Says which memory is the running commit's. Exit handlers are booked on the owner of the object
  /// or function that they are for, not on whoever's code registers them first.
  Error registerMemory(uint64_t header, const std::vector<AddrRange> &ranges);
  Error deregisterMemory(uint64_t header, const std::vector<AddrRange> &ranges);

  // ------------------------------------------------------------------ running

  /// Opens by name: initialises what the JITDylib depends on, then it, and counts a reference.
  /// Returns the header, or what went wrong; then no reference is counted, what did run has run,
  /// and another `open` goes on with the rest.
  Expected<uint64_t> open(std::string_view name);
  /// Drops a reference. What no open JITDylib needs any more runs its exit handlers, in reverse
  /// order of initialisation, and has fresh initialisers again.
  Error close(uint64_t header);
  /// Whether it is open, by itself or because an open one depends on it.
  Expected<bool> isOpen(uint64_t header);

  /// Runs the fresh initialisers. One that throws ends the run; it counts as run, and another
  /// `update` goes on with those after it. What a run has begun to go through is that run's: an
  /// initialiser that opens or updates its own JITDylib does not run what follows itself.
  Expected<RunReport> update(uint64_t header);

  /// Makes the fresh initialisers of a commit count as run.
  void dropFresh(uint64_t header, uint64_t commit);

  // ------------------------------------------------------------------ exit handlers

  /// Books a handler; false if no JITDylib has this header. Header 0 stands for the owner of the
  /// function, or else the JITDylib whose code runs, or ran last.
  bool addExitHandler(uint64_t header, void (*function)(void *), void *argument, bool quick);

  /// Runs, in reverse, the exit handlers of this commit's code.
  Error finishCommit(uint64_t commit);

  /// Runs all exit handlers, of all JITDylibs, in reverse order of registration.
  void runAllExitHandlers(bool quick);
  /// The same, where the process goes on: what handlers throw is caught, and returned in words.
  Error finishAll();

  /// Who owns the first of these addresses that belongs to anybody; else whose code runs.
  CodeOwner ownerOf(std::initializer_list<uint64_t> addresses);

  PlatformCounts counts();

  /// Marks code as running, for the life of the object.
  class CodeScope {
  public:
    /// Header or commit 0: as it is.
    CodeScope(uint64_t header, uint64_t commit);
    ~CodeScope();
    CodeScope(const CodeScope &) = delete;
    CodeScope &operator=(const CodeScope &) = delete;

  private:
    CodeOwner Outer;
  };

private:
  struct ExitHandler {
    void (*Function)(void *);
    void *Argument;
    uint64_t Commit;
    uint64_t Order; // of registration, over all JITDylibs
  };

  /// Pointers to functions.
  struct Section {
    AddrRange Range;
    uint64_t Commit; // that pushed it
    uint64_t Next;   // the pointer whose turn it is
    uint64_t Run;    // the run of `update` that goes through it, 0 for none yet
  };

  /// The sections of one kind, by arrival; those before `Done` have been gone through.
  struct Sections {
    std::vector<Section> All;
    size_t Done = 0;

    void add(const std::vector<AddrRange> &ranges, uint64_t commit);
    bool remove(const AddrRange &range);
    /// Gives a run the sections that no other run is going through.
    void claim(uint64_t run);
    void release(uint64_t run);
    /// The next function of a run's sections, with its commit; null where there is none.
    CodeOwner takeNext(uint64_t run, uint64_t &function);
    void drop(uint64_t commit);
    void reset();
  };

  struct JitDylib {
    std::string Name;
    std::vector<uint64_t> LinkOrder;
    std::vector<uint64_t> Needs; // the link order when it was opened
    uint64_t References = 0;     // by `open`
    bool Held = false;           // by the session
    bool Open = false;           // initialised, for itself or for another
    bool Closing = false;        // its exit handlers run
    uint64_t OpenOrder = 0;      // of its initialisation, over all JITDylibs
    Sections Init;
    Sections Fini;
    std::vector<ExitHandler> AtExit;
    std::vector<ExitHandler> AtQuickExit;
  };

  struct OwnedRange {
    uint64_t End;
    CodeOwner Owner;
  };

  /// Which handlers to run next; 0 matches all.
  struct HandlerFilter {
    uint64_t Header = 0;
    uint64_t Commit = 0;
    bool Quick = false;
  };

  JitDylib *find(uint64_t header);
  Error registerSections(const char *what, Sections JitDylib::*kind, uint64_t header,
                         const std::vector<AddrRange> &sections);
  Error deregisterSections(const char *what, Sections JitDylib::*kind, uint64_t header,
                           const std::vector<AddrRange> &sections);
  CodeOwner takeInitialiser(uint64_t header, uint64_t run, uint64_t &function);
  void releaseRun(uint64_t header, uint64_t run);
  void addDependencies(uint64_t header, std::vector<uint64_t> JitDylib::*which,
                       std::vector<uint64_t> &found);
  Error initialise(uint64_t header);
  std::vector<uint64_t> takeUnneeded();
  Error finish(uint64_t header);
  std::optional<ExitHandler> takeHandler(const HandlerFilter &filter);
  Error runHandlersGuarded(const HandlerFilter &filter);
  CodeOwner ownerLocked(std::initializer_list<uint64_t> addresses);

  std::mutex Mutex;
  std::map<uint64_t, JitDylib> JitDylibs; // by header
  std::map<uint64_t, OwnedRange> Memory;  // by start
  CodeOwner Running;                      // outside of any code, the header is that of the last
  unsigned Depth = 0;                     // of nested scopes
  uint64_t NextOrder = 1;
  uint64_t NextOpen = 1;
  uint64_t NextRun = 1;
};

/// "uncaught exception of type T: what".
std::string exceptionSentence(const ExceptionText &exception);

/// The error that no JITDylib has a header.
Error unknownHeader(const char *what, uint64_t header);

} // namespace farside
