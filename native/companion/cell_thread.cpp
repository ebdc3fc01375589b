#include "cell_thread.h"

namespace farside {

CellThread &CellThread::get() {
  // Never destroyed: a thread of the program may still wait for it while the process exits.
  static auto *instance = new CellThread;
  return *instance;
}

void CellThread::run(const std::function<void()> &body) {
  std::unique_lock lock(Mutex);
  if (Busy || Ended) {
    lock.unlock();
    return body();
  }
  if (!Thread.joinable())
    Thread = std::thread([this] { serve(); });
  Busy = true;
  Body = &body;
  Changed.notify_all();
  Changed.wait(lock, [this] { return !Busy; });
}

bool CellThread::busy() {
  std::lock_guard lock(Mutex);
  return Busy;
}

void CellThread::serve() {
  std::unique_lock lock(Mutex);
  for (;;) {
    Changed.wait(lock, [this] { return Body != nullptr || Ended; });
    if (Body == nullptr)
      return;
    const auto *body = Body;
    lock.unlock();
    (*body)();
    lock.lock();
    Body = nullptr;
    Busy = false;
    Changed.notify_all();
  }
}

void CellThread::end() {
  {
    std::lock_guard lock(Mutex);
    Ended = true;
    Changed.notify_all();
  }
  if (Thread.joinable())
    Thread.join();
}

} // namespace farside
