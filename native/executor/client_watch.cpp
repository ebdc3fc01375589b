#include "client_watch.h"

#include "processes.h"
#include "server.h"
#include "watched.h"

#include <csignal>
#include <poll.h>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace farside {

namespace {

constexpr int SecondInMilliseconds = 1000;

void endProgram() {
  for (pid_t child : childrenOf(::getpid()))
    killTree(child);
  ::kill(::getpid(), SIGKILL);
}

void watch(Watched stream) {
  for (;;) {
    // POLLHUP comes of itself: a pipe has no writer left, or a socket is closed in both directions,
    // which for the other end's close needs POLLRDHUP.
    pollfd event{stream.fd(), POLLRDHUP, 0};
    if (event.fd < 0)
      return; // the program has closed it
    if (::poll(&event, 1, -1) > 0 && (event.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0)
      break;
    if ((event.revents & POLLNVAL) != 0)
      return;
  }
  // What had arrived before is served, and what ends in order takes its time.
  for (;;) {
    bool served = Server::get().serves();
    uint64_t call = Server::get().outerCall();
    ::poll(nullptr, 0, SecondInMilliseconds);
    if (served && Server::get().serves() && Server::get().outerCall() == call)
      endProgram();
  }
}

} // namespace

void watchClient(int stream) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  // The program's signals are for its own threads.
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(watch, Watched(stream)).detach();
  } catch (const std::system_error &) {
    // No thread can be had: as before, the end is seen between calls.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

} // namespace farside
