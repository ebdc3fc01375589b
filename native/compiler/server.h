// Requests and responses; docs/design.md, "Compiler wire".
#pragma once

#include "compiler.h"
#include "hot_pages.h"
#include "wire.h"

#include <chrono>
#include <memory>

namespace farside {

/// Serves one near side until it goes.
class Server {
public:
  explicit Server(Channel channel) : Line(std::move(channel)), Collector(Options) {}

  int run();

private:
  void awaitRequest();
  int idleMilliseconds() const;
  void getReady();
  bool snapshot(bool idle = false);
  bool fork();
  void dispatch(const llvm::json::Object &request);
  void start(const llvm::json::Object &request);
  void compile(const llvm::json::Object &request);
  void answer(Cell cell);
  void replay(const llvm::json::Object &request);
  void demangle(const llvm::json::Object &request);
  [[noreturn]] void serveNames();
  std::string startWithPch(const std::vector<std::string> &args, const std::string &pch,
                           CompilerSettings settings);
  void reject(llvm::StringRef message);

  Channel Line;
  clang::DiagnosticOptions Options;
  DiagnosticCollector Collector;
  std::unique_ptr<Compiler> Clang;
  unsigned LastCell = 0;
  int64_t ParsedMicros = 0; // since the last snapshot
  bool SnapshotDue = false;
  bool HasSnapshot = false; // this process, or the one that it was a snapshot of
  bool JustWoken = false;
  bool HasTwin = false; // another sleeps in the same state, as a snapshot of this one
  HotPages Hot;
  /// Of a snapshot: can be read when the process that it is a copy of has nothing to do.
  Descriptor Nudged;
  Descriptor Nudge; // the other end, of the newest snapshot, while that is not ready
  std::chrono::steady_clock::time_point LastIdle; // when a snapshot was last taken in a gap
};

} // namespace farside
