// Ends the executor when its session is gone.
//
// LLVM's executor waits for calls that run before it ends, for ever if a cell loops. One thread
// watches a socket whose other end the session holds, and at its end kills the process.
#pragma once

#include "fd.h"

#include <atomic>
#include <sys/types.h>
#include <thread>

namespace farside {

class SessionWatch {
public:
  static SessionWatch &get();

  /// Watches the socket; -1 for none.
  void start(int socket);

  /// The session is about to end in order. The watch goes on: exit handlers may take for ever.
  void expectEnd() { Expected = true; }

  /// Stops watching, for this code is about to be unmapped. An end that nobody has announced is
  /// that of the session, and ends the program's children, too.
  void end();

private:
  void watch(int socket);

  UniqueFd Stop; // written to at the end
  UniqueFd Stopped;
  pid_t Parent = -1; // the session's process
  std::atomic<bool> Expected = false;
  std::atomic<bool> Ending = false; // where the program has closed `Stop`
  std::thread Thread;
};

} // namespace farside
