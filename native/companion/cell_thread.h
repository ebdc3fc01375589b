// The thread that the cells run on.
//
// LLVM's executor serves each call on a new thread. A program expects its thread_local variables,
// and what it knows of "this thread", to stay from cell to cell; so one thread runs them all.
#pragma once

#include "wrapper.h"

#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace farside {

class CellThread {
public:
  static CellThread &get();

  /// Runs `body` on the thread and waits. A call that arrives while the thread is busy was made to
  /// answer what it asked the near side, so it is run at once, where it arrived.
  void run(const std::function<void()> &body);

  /// Whether it runs something, so that the near side listens.
  bool busy();

  /// Lets the thread end, which destroys its thread_local objects. Later calls run where they
  /// arrive.
  void end();

private:
  void serve();

  std::mutex Mutex;
  std::condition_variable Changed;
  const std::function<void()> *Body = nullptr;
  bool Busy = false;
  bool Ended = false;
  std::thread Thread;
};

/// Serves a wrapper function on the cells' thread.
template <typename... Arguments, typename Body>
WrapperResult serveOnCellThread(const char *data, size_t size, Body &&body) {
  WrapperResult result{};
  CellThread::get().run([&] { result = serveWrapper<Arguments...>(data, size, body); });
  // The executor is about to answer on this thread of its own. A session that has gone must not end
  // it before the watch has ended the program's children.
  sigset_t brokenPipe;
  ::sigemptyset(&brokenPipe);
  ::sigaddset(&brokenPipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &brokenPipe, nullptr);
  return result;
}

} // namespace farside
