#include "commit_steps.h"

#include "memory.h"
#include "user_code.h"

#include <map>

namespace farside {

namespace {

enum class Status : uint8_t { Done = 0, UncaughtException = 1 };

/// The dealloc actions of each commit, by its key.
struct Commits {
  uint64_t LastKey = 0;
  std::map<uint64_t, std::vector<OwnedCall>> Deallocs;
};

Commits &commits() {
  static auto *instance = new Commits;
  return *instance;
}

Error store(const std::vector<Protection> &protections, const std::vector<Store> &stores) {
  for (auto [prot, address, size] : protections)
    if (Error error = Slab::get().protect(prot, address, size))
      return error;
  ProtectedWriter writer;
  for (auto [address, bytes] : stores) {
    if (!Slab::get().contains(address, bytes.size()))
      return Error("store outside the slab");
    if (Error error = writer.write(address, bytes))
      return error;
  }
  return {};
}

/// Between a host's `enter` and `leave`.
class CodeRuns {
public:
  CodeRuns(CommitHost &host, uint64_t header, uint64_t commit) : Host(host) {
    Host.enter(header, commit);
  }
  ~CodeRuns() { Host.leave(); }
  CodeRuns(const CodeRuns &) = delete;
  CodeRuns &operator=(const CodeRuns &) = delete;

private:
  CommitHost &Host;
};

/// (to, from, size) within the process.
Error copyIn(const std::vector<std::tuple<uint64_t, uint64_t, uint64_t>> &copies) {
  ProtectedWriter writer;
  for (auto [to, from, size] : copies) {
    if (!Slab::get().contains(to, size))
      return Error("copy outside the slab");
    if (Error error = writer.write(to, {reinterpret_cast<const char *>(from), size}))
      return error;
  }
  return {};
}

} // namespace

WrapperResult copyInWrapper(const char *data, size_t size) {
  return serveWrapper<std::vector<std::tuple<uint64_t, uint64_t, uint64_t>>>(data, size, copyIn);
}

Expected<RunOutcome> carryOut(CommitHost &host, const std::vector<Protection> &protections,
                              const std::vector<Store> &stores,
                              const std::vector<ActionPair> &actions, uint64_t header,
                              bool passing) {
  if (Error error = store(protections, stores))
    return error;
  uint64_t key = ++commits().LastKey;
  CodeRuns scope(host, header, key);
  ValueCollector values;
  auto deallocs = runFinalizeActions(actions);
  if (!deallocs)
    return deallocs.error();

  RunReport report;
  if (header != 0) {
    auto ran = host.update(header);
    if (!ran) {
      Error undo = runDeallocActions(*deallocs);
      return undo ? Error(ran.text() + "; " + undo.text()) : ran.error();
    }
    report = std::move(*ran);
    // What a cell does after its exception is not done. What others pushed waits its turn.
    if (report.Exception)
      host.drop(header, key);
    flushOutput(); // what a cell prints is there before its outcome is
  }
  if (passing) {
    if (Error error = runDeallocActions(*deallocs))
      return error;
  } else {
    commits().Deallocs.emplace(key, std::move(*deallocs));
  }
  auto status = report.Exception ? Status::UncaughtException : Status::Done;
  ExceptionText exception = report.Exception.value_or(ExceptionText{});
  return RunOutcome{key,
                    static_cast<uint8_t>(status),
                    report.Completed,
                    report.Nanoseconds,
                    std::move(exception.Type),
                    std::move(exception.What),
                    values.take()};
}

Error takeBack(CommitHost &host, uint64_t key) {
  auto node = commits().Deallocs.extract(key);
  if (node.empty())
    return Error("uncommit: no such commit");
  Error exits = host.finish(key);
  flushOutput();
  Error actions = runDeallocActions(node.mapped());
  if (exits && actions)
    return Error(exits.text() + "; " + actions.text());
  return exits ? exits : actions;
}

Error takeAllBack() {
  Error first;
  auto &all = commits().Deallocs;
  while (!all.empty()) {
    auto newest = all.extract(std::prev(all.end()));
    Error error = runDeallocActions(newest.mapped());
    if (error && !first)
      first = error;
  }
  return first;
}

uint64_t countCommits() { return commits().Deallocs.size(); }

Error resolveIfuncSlot(uint64_t slot, uint64_t resolver) {
  uint64_t target = callUserCode(reinterpret_cast<uint64_t (*)()>(resolver));
  ProtectedWriter writer;
  return writer.write(slot, {reinterpret_cast<const char *>(&target), sizeof target});
}

} // namespace farside
