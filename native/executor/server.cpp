#include "server.h"

#include "crash.h"
#include "near_side.h"
#include "snapshot.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <unistd.h>

namespace farside {

Server &Server::get() {
  // Never destroyed: threads of the user's program may dispatch while the process exits.
  static auto *server = new Server;
  return *server;
}

void Server::start(Connection connection, CallHooks *hooks) {
  Hooks = hooks;
  serveAnew(std::move(connection));
}

void Server::serveAnew(Connection connection) {
  Link = std::move(connection);
  ++Links;
  MainThread = ::gettid();
  Process = ::getpid();
}

Error Server::takeSnapshot() {
  if (::gettid() != MainThread || Depth != 1)
    return Error("snapshot: only between the cells");
  UniqueFd socket = ForSnapshot ? std::move(ForSnapshot) : takePassed();
  if (!socket)
    return Error("snapshot: no descriptor came with the request");
  Snapshot snapshot(std::move(socket));
  // Another thread may hold either when the fork happens, and there would be nobody to let go.
  std::scoped_lock lock(SendMutex, Mutex);
  if (Error error = snapshot.fork())
    return error;
  if (!snapshot.isThisProcess())
    return {};
  Link.close();
  Connection woken = snapshot.sleep();
  // What other threads waited for, and they themselves, exist in the other process.
  Waiting.clear();
  ForMainThread.clear();
  SomeoneReads = MainThreadComes = false;
  new (&Changed) std::condition_variable;
  serveAnew(std::move(woken));
  return {};
}

UniqueFd Server::takePassed() {
  std::lock_guard lock(Mutex);
  return std::move(Passed);
}

int Server::run(const std::string &setup) {
  send(Opcode::Setup, 0, 0, setup);
  pump(nullptr);
  Link.close();
  return Status;
}

void Server::abandon() {
  std::lock_guard lock(Mutex);
  end(1);
}

void Server::end(int status) {
  Ended = true;
  Status = status;
  Changed.notify_all();
}

/// Takes the oldest of what was left to the main thread, which is the one that asks. In the middle
/// of a call no snapshot can be taken.
std::optional<Frame> Server::takeLeft() {
  auto found = Depth == 0
                   ? ForMainThread.begin()
                   : std::find_if(ForMainThread.begin(), ForMainThread.end(), [](auto &each) {
                       return !isSnapshotRequest(each.Header.TagAddress);
                     });
  if (found == ForMainThread.end())
    return std::nullopt;
  Frame frame = std::move(*found);
  ForMainThread.erase(found);
  ForSnapshot = std::move(frame.Descriptor);
  return frame;
}

void Server::pump(Pending *until) {
  bool onMainThread = ::gettid() == MainThread;
  std::unique_lock lock(Mutex);
  while (true) {
    // First of all: the main thread may not come here again, and the answer to another thread may
    // need what was left to this one.
    if (std::optional<Frame> frame = onMainThread ? takeLeft() : std::nullopt) {
      MainThreadComes = false;
      lock.unlock();
      execute(*frame);
      lock.lock();
      continue;
    }
    if (onMainThread)
      MainThreadComes = !Ended && !(until && until->Result);
    if (Ended || (until && until->Result))
      return;
    if (SomeoneReads) {
      Changed.wait(lock);
      continue;
    }
    SomeoneReads = true;
    lock.unlock();
    Frame frame;
    bool isNext = onMainThread && until == nullptr;
    bool atOnce = Link.look(isNext ? Calls.patience() : 0);
    ReceiveStatus status = Link.receive(frame);
    if (isNext)
      Calls.came(!atOnce);
    lock.lock();
    SomeoneReads = false;
    // One that comes with a result is for who waits for that; a snapshot may be waiting for
    // another.
    if (frame.Descriptor && frame.Header.Opcode != static_cast<uint64_t>(Opcode::Result))
      Passed = std::move(frame.Descriptor);
    Changed.notify_all();
    if (status == ReceiveStatus::Frame)
      handle(std::move(frame), onMainThread, lock);
    else
      end(status == ReceiveStatus::EndOfFile ? 0 : 1);
  }
}

void Server::handle(Frame frame, bool onMainThread, std::unique_lock<std::mutex> &lock) {
  switch (static_cast<Opcode>(frame.Header.Opcode)) {
  case Opcode::Setup:
    return end(1);
  case Opcode::Hangup:
    ToldToEnd = true;
    return end(0);
  case Opcode::Result: {
    auto found = Waiting.find(frame.Header.SequenceNumber);
    if (found == Waiting.end())
      return end(1);
    found->second->Result.emplace(frame.payload());
    // The kernel may hand several messages over at once, with the descriptor of a later one.
    if (frame.Descriptor)
      (found->second->TakesDescriptor ? found->second->Descriptor : Passed) =
          std::move(frame.Descriptor);
    Waiting.erase(found);
    return Changed.notify_all();
  }
  case Opcode::CallWrapper:
    if ((Depth != 0 || !onMainThread) && isSnapshotRequest(frame.Header.TagAddress)) {
      frame.Descriptor = std::move(Passed);
      ForMainThread.push_back(std::move(frame));
      return Changed.notify_all();
    }
    if (!onMainThread && MainThreadComes) {
      ForMainThread.push_back(std::move(frame));
      // It is as good as running: a call that it waits for must not be queued behind it.
      MainThreadComes = false;
      return Changed.notify_all();
    }
    if (onMainThread)
      MainThreadComes = false;
    lock.unlock();
    execute(frame);
    lock.lock();
  }
}

void Server::execute(const Frame &frame) {
  if (frame.Header.TagAddress == 0)
    return send(Opcode::Result, frame.Header.SequenceNumber, 0, {});
  uint64_t link = Links;
  bool onMainThread = ::gettid() == MainThread;
  Depth += onMainThread;
  bool isOuter = onMainThread && Depth == 1;
  if (isOuter) {
    Snapshot::awaitNewest();
    OuterCall = frame.Header.SequenceNumber;
    noteBegun(OuterCall);
  }
  if (isOuter && Hooks != nullptr)
    Hooks->begin();
  WrapperBuffer result(callWrapper(frame.Header.TagAddress, frame.payload()));
  // A snapshot that was woken comes back with a connection that never carried this call.
  Depth -= onMainThread;
  if (link != Links)
    return;
  if (isOuter)
    Snapshot::joinSupervisor();
  if (isOuter && Hooks != nullptr)
    Hooks->end();
  if (isOuter)
    noteWritten(false);
  if (isOuter) {
    std::lock_guard lock(Mutex);
    MainThreadComes = true; // before anybody can have the next call
  }
  // The text of an out-of-band error has no place in a Result: the peer sees an empty one.
  send(Opcode::Result, frame.Header.SequenceNumber, 0, result.bytes());
  if (!isOuter)
    return;
  Calls.answered();
  if (Calls.isQuick())
    countWrittenAhead();
}

void Server::send(Opcode opcode, uint64_t sequenceNumber, uint64_t tag, std::string_view payload) {
  // A cell may fork without exec, and the child comes back here as if it were the worker. The
  // connection is not its own; it ends as a forked child ends that returns from main.
  if (::getpid() != Process)
    ::_exit(0);
  std::lock_guard lock(SendMutex);
  if (!Link.send(opcode, sequenceNumber, tag, payload) && opcode != Opcode::CallWrapper) {
    std::lock_guard state(Mutex);
    end(1);
  }
}

WrapperResult Server::dispatch(uint64_t tag, std::string_view arguments, UniqueFd *descriptor) {
  Pending pending;
  pending.TakesDescriptor = descriptor != nullptr;
  uint64_t sequenceNumber = 0;
  {
    std::lock_guard lock(Mutex);
    if (Ended)
      return makeOutOfBandError("disconnecting");
    sequenceNumber = NextSequenceNumber++;
    Waiting.emplace(sequenceNumber, &pending);
  }
  send(Opcode::CallWrapper, sequenceNumber, tag, arguments);
  pump(&pending);
  std::lock_guard lock(Mutex);
  Waiting.erase(sequenceNumber);
  if (descriptor != nullptr)
    *descriptor = std::move(pending.Descriptor);
  return pending.Result ? makeResult(*pending.Result) : makeOutOfBandError("disconnecting");
}

WrapperResult callNearSide(uint64_t tag, std::string_view arguments) {
  return Server::get().dispatch(tag, arguments);
}

bool nearSideListens() { return Server::get().serves(); }

bool Server::isInterrupted() const { return farside::isInterrupted(OuterCall); }

extern "C" int farsideInterrupted() { return Server::get().isInterrupted() ? 1 : 0; }

extern "C" WrapperResult farsideDispatch(void *, const void *tag, const char *data, size_t size) {
  return Server::get().dispatch(reinterpret_cast<uint64_t>(tag), {data, size});
}

} // namespace farside
