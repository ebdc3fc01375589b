// Serves the near side's calls on the worker's main thread, and makes calls to it.
//
// Calls run one at a time, in the order in which they come, on the main thread: a program's main
// thread is where its cells run. While a call waits for the near side to answer a dispatch, further
// calls are served inside it, because the near side may need them to find its answer. A thread of
// the user's program may dispatch, too; when nobody is reading the connection it reads, and a call
// that it reads goes to the main thread if that is waiting, and is served on the spot if not.
#pragma once

#include "connection.h"
#include "pace.h"
#include "sps.h"
#include "wrapper.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>

namespace farside {

/// What is done around each call that the main thread serves and that came by itself.
class CallHooks {
public:
  virtual void begin() = 0;
  virtual void end() = 0;

protected:
  ~CallHooks() = default;
};

class Server {
public:
  /// The worker's only server. Calls from other threads than the one that calls this first are
  /// calls from the user's threads.
  static Server &get();

  void start(Connection connection, CallHooks *hooks = nullptr);

  /// Sends Setup and serves until the session ends. Returns the process' exit status: 0 after an
  /// orderly end (Hangup, or end of file between messages), 1 after a violation of the protocol.
  int run(const std::string &setup);

  /// Whether the near side said that this is the end, rather than that its stream ended.
  bool wasToldToEnd() const { return ToldToEnd; }

  /// The main thread has left its call for good: no thread is answered any more.
  void abandon();

  /// Closes the connection, where `run` was left and nobody is in it any more.
  void closeLink() { Link.close(); }

  /// Forks a snapshot of this process; see snapshot.h. Returns in the worker at once. In the
  /// snapshot it returns when that is woken, which then serves the connection it was woken by.
  /// Must be called on the main thread, as a call of the near side that came by itself.
  Error takeSnapshot();

  /// Whether the user wants the call to end that the main thread serves.
  bool isInterrupted() const;

  /// Whether the main thread serves a call, so that the near side listens.
  bool serves() const { return Depth != 0; }

  /// The number of the call that the main thread serves, or has served last.
  uint64_t outerCall() const { return OuterCall; }

  /// Takes the descriptor that came last, if it was not taken yet.
  UniqueFd takePassed();

  /// Calls the near side: blocks until its Result is there. A descriptor that comes with it is put
  /// into `descriptor`.
  WrapperResult dispatch(uint64_t tag, std::string_view arguments, UniqueFd *descriptor = nullptr);

private:
  struct Pending {
    std::optional<std::string> Result;
    UniqueFd Descriptor;
    bool TakesDescriptor = false;
  };

  std::optional<Frame> takeLeft();
  void pump(Pending *until);
  void handle(Frame frame, bool onMainThread, std::unique_lock<std::mutex> &lock);
  void execute(const Frame &frame);
  void send(Opcode opcode, uint64_t sequenceNumber, uint64_t tag, std::string_view payload);
  void end(int status);
  void serveAnew(Connection connection);

  Connection Link;
  CallHooks *Hooks = nullptr;
  Pace Calls;                 // that come by themselves
  uint64_t Links = 0;         // how many there were; a call is answered on the one that it came by
  std::atomic<int> Depth = 0; // of calls on the main thread
  std::atomic<uint64_t> OuterCall = 0; // the number of the call at depth 1
  std::mutex SendMutex;
  std::mutex Mutex; // guards what follows
  std::condition_variable Changed;
  std::map<uint64_t, Pending *> Waiting;
  /// What another thread read, in the order in which it came, and requests for a snapshot that were
  /// read while a call ran, as it called the near side itself. These have their descriptors.
  std::deque<Frame> ForMainThread;
  UniqueFd ForSnapshot; // of the request that is being served, where it was left to this thread
  UniqueFd Passed;      // the descriptor that came last and was not used yet
  uint64_t NextSequenceNumber = 0;
  bool SomeoneReads = false;
  bool MainThreadComes = false; // to look at what is left to it, before any of the program's code
  bool Ended = false;
  bool ToldToEnd = false;
  int Status = 0;
  pid_t MainThread = 0;
  pid_t Process = 0;
};

/// The jit-dispatch function that ORC's bootstrap symbols announce.
/// `__farside_interrupted` of farside/interrupt.h.
extern "C" int farsideInterrupted();

extern "C" WrapperResult farsideDispatch(void *context, const void *tag, const char *data,
                                         size_t size);

} // namespace farside
