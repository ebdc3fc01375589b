#include "session_watch.h"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

namespace farside {

SessionWatch &SessionWatch::get() {
  static auto *instance = new SessionWatch; // outlives every thread
  return *instance;
}

void SessionWatch::start(int socket) {
  int pipe[2];
  if (socket < 0 || ::pipe2(pipe, O_CLOEXEC) != 0)
    return;
  Stopped = UniqueFd(pipe[0]);
  Stop = UniqueFd(pipe[1]);
  Thread = std::thread([this, socket] { watch(socket); });
}

void SessionWatch::watch(int socket) {
  pollfd events[] = {{socket, 0, 0}, {Stopped.get(), POLLIN, 0}};
  while (::poll(events, 2, -1) < 0 || (events[0].revents | events[1].revents) == 0)
    ;
  if ((events[0].revents & POLLHUP) == 0)
    return; // the end in order, or the program has closed the descriptor
  // The leader of a session of its own takes its children with it.
  ::kill(::getpgrp() == ::getpid() ? 0 : ::getpid(), SIGKILL);
}

void SessionWatch::end() {
  if (!Thread.joinable())
    return;
  // Closing it would not do: a child of the program holds it, too.
  (void)!::write(Stop.get(), "", 1);
  Thread.join();
}

} // namespace farside
