#include "session_watch.h"

#include "watched.h"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace farside {

namespace {

// A program that closes all descriptors closes those of the watch, too; then only looking helps.
constexpr int LookEveryMilliseconds = 1000;

/// The leader of a session of its own takes its children with it.
void killProgram() { ::kill(::getpgrp() == ::getpid() ? 0 : ::getpid(), SIGKILL); }

} // namespace

SessionWatch &SessionWatch::get() {
  static auto *instance = new SessionWatch; // outlives every thread
  return *instance;
}

void SessionWatch::start(int socket) {
  int pipe[2];
  if (socket < 0 || ::pipe2(pipe, O_CLOEXEC) != 0)
    return;
  Stopped = clearOfStandard(pipe[0]);
  Stop = clearOfStandard(pipe[1]);
  Parent = ::getppid();
  Thread = std::thread([this, socket] { watch(socket); });
}

void SessionWatch::watch(int socket) {
  Watched session(socket);
  Watched stopped(Stopped.get());
  while (::getppid() == Parent && !Ending) {
    pollfd events[] = {{session.fd(), 0, 0}, {stopped.fd(), POLLIN, 0}};
    if (::poll(events, 2, LookEveryMilliseconds) < 0)
      continue;
    if ((events[0].revents & POLLHUP) != 0)
      break;
    if ((events[1].revents & POLLIN) != 0)
      return;
  }
  if (!Ending)
    killProgram();
}

void SessionWatch::end() {
  if (!Thread.joinable())
    return;
  if (!Expected)
    killProgram();
  Ending = true;
  // Closing it would not do: a child of the program holds it, too.
  (void)!::write(Stop.get(), "", 1);
  Thread.join();
}

} // namespace farside
