#include "in_process.h"

#include "bootstrap.h"
#include "commit_steps.h"
#include "crash.h"
#include "exit_handlers.h"
#include "memory.h"
#include "output_streams.h"
#include "platform.h"
#include "run_report.h"
#include "server.h"
#include "threads.h"
#include "tls.h"
#include "unwind.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

using namespace farside;

namespace {

constexpr uint64_t usualSlab = (uint64_t{2} << 30) - 8192; // as in main.cpp
constexpr uint64_t smallestSlab = uint64_t{64} << 20;
constexpr uint64_t lowSlab = uint64_t{64} << 20;
constexpr auto betweenSignals = std::chrono::milliseconds(2);
constexpr int plainTries = 20; // before the way back into the cell is turned

/// What the cell thread is told by a signal to do.
enum class Order : int { None, Leave, Turn, Sleep };

struct CellThread {
  std::mutex Mutex;
  std::condition_variable Changed;
  bool Used = false;
  bool Ended = false;
  pid_t Number = 0;
  pthread_t Thread{};
  int Data = -1;
  std::unique_ptr<OutputStreams> Streams;
  sigjmp_buf Base{};
  uint64_t StackBase = 0; // the stack of cells ends there
  std::atomic<bool> InCall = false;
  volatile bool GivesUp = false;
  std::atomic<Order> Told = Order::None;
  std::atomic<bool> Asleep = false;
};

CellThread &cellThread() {
  static auto *instance = new CellThread;
  return *instance;
}

// ------------------------------------------------------------------ serving

/// Leads the output of each call to the session.
class Redirecting : public CallHooks {
public:
  void begin() override {
    CellThread &cell = cellThread();
    cell.InCall = true;
    if (!cell.Streams->toProgram(cell.GivesUp))
      ::siglongjmp(cell.Base, 1);
  }
  void end() override {
    CellThread &cell = cellThread();
    cell.InCall = false;
    cell.Streams->toOthers(true);
  }
};

Redirecting &hooks() {
  static auto *instance = new Redirecting;
  return *instance;
}

/// What the end of a process does, without ending one.
void endProgram() {
  hooks().begin();
  runThreadExits({});
  if (Error error = Platform::get().finishAll())
    std::fprintf(stderr, "farside: %s\n", error.text().c_str());
  (void)takeAllBack().text(); // nobody is left to be told
  hooks().end();
}

void serve() {
  CellThread &cell = cellThread();
  cell.StackBase = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  initialiseTls();
  Server &server = Server::get();
  server.start(Connection(UniqueFd(cell.Data), UniqueFd()), &hooks());
  (void)server.run(encodeSetup(true));
  if (server.wasToldToEnd())
    endProgram();
}

void *runCellThread(void *held) {
  // The stream ends for the near side when the last descriptor of it is closed, after all else.
  UniqueFd last(static_cast<int>(reinterpret_cast<intptr_t>(held)));
  CellThread &cell = cellThread();
  {
    std::lock_guard lock(cell.Mutex);
    cell.Number = ::gettid();
    cell.Changed.notify_all();
  }
  if (sigsetjmp(cell.Base, 1) == 0)
    serve();
  else
    Server::get().abandon();
  // The handler of a signal that comes from now on may be another's already.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  forgetThreadExits();
  std::lock_guard lock(cell.Mutex);
  cell.Ended = true;
  cell.Changed.notify_all();
  return nullptr;
}

// ------------------------------------------------------------------ stopping

[[noreturn]] void leaveCell() { ::siglongjmp(cellThread().Base, 1); }

extern "C" __attribute__((visibility("hidden"), used)) void farsideLeaveCell() { leaveCell(); }

// Where a function of a library returns to in place of the cell that called it. An exception that
// is on its way through such a function comes here, too. The unwinder looks for the instruction
// before a return address, so there is one.
extern "C" __attribute__((visibility("hidden"))) void farsideTurnedBack();
__asm__(R"(
    .text
    .cfi_startproc
    .cfi_personality 0x1b, farsideCatchTurned
    nop
    .hidden farsideTurnedBack
    .globl  farsideTurnedBack
    .type   farsideTurnedBack, @function
farsideTurnedBack:
    andq  $-16, %rsp
    call  farsideLeaveCell
    ud2
    .cfi_endproc
    .size   farsideTurnedBack, . - farsideTurnedBack
)");

/// The personality routine of the above (Itanium C++ ABI, "The Unwind Process").
extern "C" __attribute__((visibility("hidden"), used)) _Unwind_Reason_Code
farsideCatchTurned(int, _Unwind_Action actions, _Unwind_Exception_Class, _Unwind_Exception *,
                   _Unwind_Context *context) {
  if ((actions & _UA_SEARCH_PHASE) != 0)
    return _URC_HANDLER_FOUND;
  _Unwind_SetIP(context, reinterpret_cast<_Unwind_Ptr>(&farsideTurnedBack));
  return _URC_INSTALL_CONTEXT;
}

/// Has whatever would return into code of cells, or call it, come here instead: every word of the
/// stack that is an address of such code. Nothing that takes a lock will do, as unwinding does: the
/// interrupted thread may hold it.
void turnStack(uint64_t from, uint64_t to) {
  const Slab &slab = Slab::get();
  constexpr uint64_t word = sizeof(uint64_t);
  for (uint64_t at = from & ~(word - 1); at < to; at += word) {
    auto *slot = reinterpret_cast<uint64_t *>(at);
    if (slab.contains(*slot, 1) && (slab.protection(*slot) & 4) != 0)
      *slot = reinterpret_cast<uint64_t>(&farsideTurnedBack);
  }
}

[[noreturn]] void sleepForGood(CellThread &cell) {
  cell.Asleep = true;
  sigset_t all;
  ::sigfillset(&all);
  while (true)
    ::sigsuspend(&all);
}

void onSignal(int, siginfo_t *, void *context) {
  CellThread &cell = cellThread();
  int error = errno;
  if (cell.InCall && ::pthread_equal(cell.Thread, ::pthread_self())) {
    const auto &registers = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
    Order told = cell.Told;
    if (Slab::get().contains(static_cast<uint64_t>(registers[REG_RIP]), 1))
      leaveCell();
    if (told == Order::Sleep)
      sleepForGood(cell);
    if (told == Order::Turn)
      turnStack(static_cast<uint64_t>(registers[REG_RSP]), cell.StackBase);
  }
  errno = error;
}

template <typename Duration> bool awaitEnd(CellThread &cell, Duration patience) {
  std::unique_lock lock(cell.Mutex);
  return cell.Changed.wait_for(lock, patience, [&] { return cell.Ended; });
}

/// Puts a handler in place of the program's for a while.
class StopSignal {
public:
  StopSignal() : Number(SIGRTMAX - 3) {
    struct sigaction action{};
    action.sa_sigaction = onSignal;
    action.sa_flags = SA_SIGINFO; // not SA_RESTART: what waits is to come back
    ::sigfillset(&action.sa_mask);
    ::sigaction(Number, &action, &Before);
  }
  ~StopSignal() { ::sigaction(Number, &Before, nullptr); }
  StopSignal(const StopSignal &) = delete;
  StopSignal &operator=(const StopSignal &) = delete;

  void send(CellThread &cell, Order order) const {
    cell.Told = order;
    ::pthread_kill(cell.Thread, Number);
  }

private:
  int Number;
  struct sigaction Before{};
};

Error reserveMemory(uint64_t size) {
  Slab &slab = Slab::get();
  if (size != 0)
    return slab.reserve(size);
  uint64_t wanted = usualSlab;
  Error error = slab.reserve(wanted);
  while (error && wanted > smallestSlab) {
    wanted /= 2;
    error = slab.reserve(wanted);
  }
  return error;
}

Error startThread(CellThread &cell, UniqueFd data, uint64_t slab) {
  if (Error error = reserveMemory(slab))
    return error;
  Slab::get().reserveLow(lowSlab);
  prepareCrashRecord(); // for `isInterrupted` alone
  UniqueFd last = duplicateHigh(data.get());
  cell.Data = data.get();
  auto *held = reinterpret_cast<void *>(static_cast<intptr_t>(last.get()));
  int why = ::pthread_create(&cell.Thread, nullptr, runCellThread, held);
  if (why != 0)
    return Error(std::string("no thread for the cells: ") + std::strerror(why));
  (void)last.release();
  (void)data.release();
  return {};
}

} // namespace

#define FARSIDE_ENTRY extern "C" __attribute__((visibility("default")))

FARSIDE_ENTRY int farside_in_process_start(int data, int out, int err, ::sem_t *turn, uint64_t slab,
                                           char *why, size_t room) {
  CellThread &cell = cellThread();
  if (cell.Used)
    return 1;
  cell.Used = true;
  UniqueFd toOut = out < 0 ? UniqueFd() : moveHigh(out);
  UniqueFd toErr = err < 0 ? UniqueFd() : moveHigh(err);
  cell.Streams = std::make_unique<OutputStreams>(std::move(toOut), std::move(toErr), turn);
  if (Error error = startThread(cell, moveHigh(data), slab)) {
    std::snprintf(why, room, "%s", error.text().c_str());
    return 2;
  }
  return 0;
}

FARSIDE_ENTRY void farside_in_process_interrupt(uint64_t sequence) { interruptCall(sequence); }

FARSIDE_ENTRY int farside_in_process_thread() {
  CellThread &cell = cellThread();
  std::unique_lock lock(cell.Mutex);
  cell.Changed.wait(lock, [&] { return cell.Number != 0; });
  return cell.Number;
}

FARSIDE_ENTRY int farside_in_process_stop(int milliseconds) {
  CellThread &cell = cellThread();
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  bool ended = awaitEnd(cell, betweenSignals);
  if (!ended) {
    StopSignal signal;
    cell.GivesUp = true;
    int tries = 0;
    while (!ended && std::chrono::steady_clock::now() < deadline) {
      signal.send(cell, ++tries <= plainTries ? Order::Leave : Order::Turn);
      ended = awaitEnd(cell, betweenSignals);
    }
    deadline += std::chrono::milliseconds(milliseconds);
    while (!ended && !cell.Asleep && std::chrono::steady_clock::now() < deadline) {
      signal.send(cell, Order::Sleep);
      ended = awaitEnd(cell, betweenSignals);
    }
  }
  cell.Streams->toOthers(false);
  if (ended)
    ::pthread_join(cell.Thread, nullptr);
  return ended ? 1 : 0;
}

FARSIDE_ENTRY void farside_in_process_release() {
  // Neither is destroyed with the library, and a cell that was left has closed nothing.
  cellThread().Streams.reset();
  Server::get().closeLink();
  forgetEhFrames();
  releaseThreadKey();
  releaseTlsKey();
  releaseCrashRecord();
  Slab::get().release();
}
