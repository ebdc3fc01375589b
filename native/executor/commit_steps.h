// What a commit does, step by step, whoever keeps the JITDylibs: farside's own platform in
// farside-executor, ORC's runtime where the companion object serves.
#pragma once

#include "actions.h"
#include "run_report.h"
#include "sps.h"
#include "values.h"
#include "wrapper.h"

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace farside {

using Protection = std::tuple<uint8_t, uint64_t, uint64_t>; // prot, address, size
using Store = std::tuple<uint64_t, std::string_view>;       // address, bytes

/// (key, status, initialisers run, nanoseconds, exception type, what, values)
using RunOutcome = std::tuple<uint64_t, uint8_t, uint64_t, uint64_t, std::string,
                              std::optional<std::string>, std::vector<ShownValue>>;

/// Who keeps the JITDylibs.
class CommitHost {
public:
  virtual ~CommitHost() = default;
  /// Code of this commit is about to run; `leave` follows. They nest.
  virtual void enter(uint64_t header, uint64_t commit) = 0;
  virtual void leave() = 0;
  /// Runs the initialisers that are new.
  virtual Expected<RunReport> update(uint64_t header) = 0;
  /// Makes what is left of a commit's initialisers count as run.
  virtual void drop(uint64_t header, uint64_t commit) = 0;
  /// Runs a commit's exit handlers.
  virtual Error finish(uint64_t commit) = 0;
};

/// Carries out farside_commit.
Expected<RunOutcome> carryOut(CommitHost &host, const std::vector<Protection> &protections,
                              const std::vector<Store> &stores,
                              const std::vector<ActionPair> &actions, uint64_t header,
                              bool passing);

/// Alloc action, Error(Seq<(u64 to, u64 from, u64 size)>): stores in the slab what lies elsewhere
/// in the process, such as in shared memory.
WrapperResult copyInWrapper(const char *data, size_t size);

/// Carries out farside_uncommit. Exit handlers that the commit's code registered come first: they
/// may need its memory.
Error takeBack(CommitHost &host, uint64_t key);

/// Runs the dealloc actions of all commits, the newest first.
Error takeAllBack();

uint64_t countCommits();

/// Calls an IFUNC resolver and stores the address that it picks, wherever the slot lies.
Error resolveIfuncSlot(uint64_t slot, uint64_t resolver);

} // namespace farside
