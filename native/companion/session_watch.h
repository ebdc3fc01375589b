// Ends the executor when its session is gone.
//
// LLVM's executor waits for calls that run before it ends, for ever if a cell loops. One thread
// watches a socket whose other end the session holds, and at its end kills the process.
#pragma once

#include "fd.h"

#include <thread>

namespace farside {

class SessionWatch {
public:
  static SessionWatch &get();

  /// Watches the socket; -1 for none.
  void start(int socket);

  /// Stops watching: the session is about to end in order.
  void end();

private:
  void watch(int socket);

  UniqueFd Stop; // written to at the end
  UniqueFd Stopped;
  std::thread Thread;
};

} // namespace farside
