#include "supervisor.h"

#include "connection.h"
#include "crash.h"
#include "librarian.h"
#include "processes.h"
#include "snapshot.h"
#include "sps.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace farside {

namespace {

enum ControlTag : uint64_t { WorkerStarted = 1, WorkerEnded = 2, Remark = 3 };
enum RemarkKind : uint32_t {
  Continued = 1,
  OthersEnded = 2,
  TooManyProcesses = 3,
  Written = 4,
  Traced = 5,
  Begun = 6
};
enum Circumstance : uint32_t {
  EndedOutOfMemory = 1,
  EndedAfterExec = 2,
  EndedMainThread = 4,
  EndedProcessorLimit = 8,
  EndedForbiddenCall = 16
};
enum ControlRequest : uint64_t {
  ReplaceWorker = 1,
  StartLibrarian = 2,
  InterruptCall = 3,
  LimitProcesses = 4,
  Look = 5
};

/// How often processes are counted where their number is limited.
constexpr int countingInterval = 20; // milliseconds

/// Kills this process's children but for some, with all below them, and adds them to `dying`.
/// Returns how many processes of the program there were.
template <typename IsKept> uint64_t killChildren(IsKept isKept, std::vector<pid_t> &dying) {
  uint64_t killed = 0;
  for (pid_t child : childrenOf(::getpid())) {
    if (isKept(child))
      continue;
    bool counts = !isAsleepOrDead(child);
    uint64_t size = killTree(child);
    killed += counts ? size : 0;
    dying.push_back(child);
  }
  return killed;
}

/// Kills every process below this one except some children, and waits until there is no other.
/// What loses its parent meanwhile comes to this process, the subreaper, so a few rounds reach
/// everything. Returns how many processes of the program there were.
template <typename IsKept> uint64_t killAllBelow(IsKept isKept) {
  uint64_t killed = 0;
  for (;;) {
    std::vector<pid_t> dying;
    killed += killChildren(isKept, dying);
    if (dying.empty())
      return killed;
    for (pid_t child : dying)
      collect(child);
  }
}

/// Whether the kernel has killed a process for want of memory, which looks like any other SIGKILL.
/// Its count is of the whole machine; there is none for one process.
class OutOfMemoryKills {
public:
  bool happened() const { return count() > Before; }

private:
  static uint64_t count() {
    std::FILE *counters = std::fopen("/proc/vmstat", "re");
    uint64_t kills = 0;
    char line[128];
    while (counters != nullptr && std::fgets(line, sizeof line, counters) != nullptr)
      if (std::sscanf(line, "oom_kill %" SCNu64, &kills) == 1)
        break;
    if (counters != nullptr)
      std::fclose(counters);
    return kills;
  }

  uint64_t Before = count();
};

class Supervisor {
public:
  Supervisor(UniqueFd control, pid_t worker, UniqueFd childSignals)
      : ControlFd(control.get()), Control(std::move(control), UniqueFd()), Worker(worker),
        ChildSignals(std::move(childSignals)) {}

  [[noreturn]] void serve() {
    beContinuedByPeer();
    report(WorkerStarted, static_cast<uint32_t>(Worker));
    for (;;) {
      pollfd events[] = {{ControlFd, POLLIN, 0}, {ChildSignals.get(), POLLIN, 0}};
      if (::poll(events, 2, MostProcesses == 0 ? -1 : countingInterval) < 0 && errno != EINTR)
        break;
      if (MostProcesses != 0)
        countProcesses();
      if (events[1].revents != 0)
        reap();
      if (events[0].revents != 0 && !obey())
        break;
    }
    killAllBelow([](pid_t) { return false; });
    ::_exit(0);
  }

private:
  /// Has the kernel continue this process, should the program have stopped it, whenever the near
  /// side says something or ends: nobody else would then end what is below it.
  void beContinuedByPeer() const {
    ::fcntl(ControlFd, F_SETSIG, SIGCONT);
    ::fcntl(ControlFd, F_SETOWN, ::getpid());
    ::fcntl(ControlFd, F_SETFL, ::fcntl(ControlFd, F_GETFL) | O_ASYNC);
  }

  template <typename... T> void report(ControlTag tag, T... values) {
    std::string payload;
    (encode(payload, values), ...);
    Control.send(Opcode::CallWrapper, NextSequenceNumber++, tag, payload);
  }

  /// The requests of the near side that have come; false when there will be no more.
  bool obey() {
    do {
      Frame frame;
      if (Control.receive(frame) != ReceiveStatus::Frame ||
          frame.Header.Opcode != static_cast<uint64_t>(Opcode::CallWrapper))
        return false;
      Reader in(frame.payload());
      std::tuple<std::vector<uint32_t>, uint32_t> replacement;
      std::tuple<uint64_t> call;
      std::tuple<uint32_t> limit;
      if (frame.Header.TagAddress == ReplaceWorker && decode(in, replacement))
        replaceWorker(std::get<0>(replacement), static_cast<pid_t>(std::get<1>(replacement)));
      else if (frame.Header.TagAddress == InterruptCall && decode(in, call))
        interruptCall(std::get<0>(call));
      else if (frame.Header.TagAddress == LimitProcesses && decode(in, limit))
        MostProcesses = std::get<0>(limit);
      else if (frame.Header.TagAddress == Look)
        lookAtWorker();
      else if (frame.Header.TagAddress == StartLibrarian && frame.Descriptor)
        startLibrarian(std::move(frame.Descriptor));
      else
        return false;
    } while (Control.hasBuffered());
    return true;
  }

  /// Ends the worker, if there is one, and whatever the program has started; snapshots stay. One of
  /// them is the worker from then on.
  ///
  /// To die takes a worker a while, and little is left of it then that matters. So where it was
  /// idle and alone, the news of its end comes after that of the other's beginning.
  void replaceWorker(const std::vector<uint32_t> &snapshots, pid_t next) {
    auto isKept = [&](pid_t child) {
      return (Librarian != 0 && child == Librarian) ||
             std::find(snapshots.begin(), snapshots.end(), static_cast<uint32_t>(child)) !=
                 snapshots.end();
    };
    awaitReplaced();
    pid_t worker = Worker;
    uint64_t others = worker == 0 ? 0 : countTree(worker) - 1;
    bool wasIdle = worker != 0 && isIdle() && !hasEnded(worker);
    std::vector<pid_t> dying;
    if (worker != 0) {
      killWorkersGroup();
      dying.push_back(worker);
    }
    // What is killed forks no more; the second round finds nothing, or what lost its parent.
    for (size_t before = SIZE_MAX; before != dying.size();) {
      before = dying.size();
      others += killChildren(
          [&](pid_t child) {
            return isKept(child) || std::find(dying.begin(), dying.end(), child) != dying.end();
          },
          dying);
    }
    if (wasIdle && others == 0) {
      Replaced = worker;
      adopt(next);
      return;
    }
    if (worker != 0)
      awaitWorker(wasIdle);
    for (pid_t child : dying)
      if (child != worker)
        collect(child);
    others += killAllBelow(isKept);
    if (Librarian != 0 && ::kill(Librarian, 0) != 0)
      Librarian = 0; // it had ended, and was collected with the others
    if (others != 0)
      remark(OthersEnded, others);
    adopt(next);
  }

  /// Waits for the end of the worker before this one, and reports it.
  void awaitReplaced() {
    while (Replaced != 0) {
      pollfd event{ChildSignals.get(), POLLIN, 0};
      ::poll(&event, 1, -1);
      reap();
    }
  }

  /// Kills the worker and its process group at once: nothing in it can fork meanwhile.
  void killWorkersGroup() const {
    letOthersGoFirst(Worker);
    ::kill(-Worker, SIGKILL);
    killTree(Worker);
  }

  /// Ends the program if it has more processes than it may. What it starts between two counts is
  /// not prevented.
  void countProcesses() {
    uint64_t count = 0;
    for (pid_t child : childrenOf(::getpid()))
      if (child == Worker || (child != Librarian && child != Replaced && !isAsleepOrDead(child)))
        count += countTree(child) - (child == Worker);
    if (Worker == 0 || count <= MostProcesses)
      return;
    remark(TooManyProcesses, count);
    killWorkersGroup();
    awaitWorker();
    killAllBelow([&](pid_t child) { return child == Librarian || isAsleepOrDead(child); });
  }

  /// Takes a snapshot for the worker from now on.
  void adopt(pid_t snapshot) {
    siginfo_t state{};
    Worker = snapshot;
    ::kill(snapshot, SIGCONT); // a cell may have stopped it
    if (::waitid(P_PID, static_cast<id_t>(snapshot), &state, WEXITED | WNOHANG | WNOWAIT) != 0)
      reportEnd(CLD_KILLED, SIGKILL, 0); // it ended as a snapshot, or it never was one
    else if (state.si_pid != 0)
      awaitWorker();
    else
      report(WorkerStarted, static_cast<uint32_t>(Worker));
  }

  /// Forks a librarian, which serves the near side on `socket`; one before is ended. If there can
  /// be none, the near side sees the end of its stream.
  void startLibrarian(UniqueFd socket) {
    if (Librarian != 0)
      ::kill(Librarian, SIGKILL);
    pid_t supervisor = ::getpid();
    Librarian = ::fork();
    if (Librarian == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != supervisor)
        ::_exit(2); // it died between the fork and the line above
      ::setsid();
      becomeLibrarian(std::move(socket));
    }
    Librarian = std::max(Librarian, 0);
  }

  /// Ends a worker that serves no call any more, of which the kernel tells nobody: its main thread
  /// has ended while others go on, or it has executed another program in its place. Seen only once,
  /// it may be about to end as a whole.
  void lookAtWorker() {
    std::optional<ProcessState> state = Worker == 0 ? std::nullopt : stateOf(Worker);
    bool lives = state && !hasEnded(Worker);
    bool headless = lives && state->State == 'Z';
    // What it executes may have rights that this process has not (set-user-ID).
    bool replaced = lives && state->Executed && ::kill(Worker, 0) == 0;
    if ((headless || replaced) && Useless == Worker) {
      if (headless)
        MainThreadsEnd = state->ExitCode;
      killWorkersGroup();
      awaitWorker();
    }
    Useless = headless || replaced ? Worker : 0;
  }

  static bool hasEnded(pid_t child) {
    siginfo_t ended{};
    return ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           ended.si_pid != 0;
  }

  /// Waits for the worker's end and reports it. Of one that lived and `wasIdle` when it was killed
  /// nobody needs to know more.
  void awaitWorker(bool wasIdle = false) {
    siginfo_t ended{};
    int status = 0;
    do
      status = ::waitid(P_PID, static_cast<id_t>(Worker), &ended, WEXITED | WNOWAIT);
    while (status != 0 && errno == EINTR);
    uint32_t circumstances = wasIdle ? 0 : examine(ended.si_status);
    ::waitid(P_PID, static_cast<id_t>(Worker), &ended, WEXITED | WNOHANG);
    if (MainThreadsEnd) {
      int end = *std::exchange(MainThreadsEnd, std::nullopt);
      ended.si_code = WIFEXITED(end) ? CLD_EXITED : CLD_KILLED;
      ended.si_status = WIFEXITED(end) ? WEXITSTATUS(end) : WTERMSIG(end);
      circumstances |= EndedMainThread;
    }
    reportEnd(ended.si_code, ended.si_status, circumstances);
  }

  /// Says which call of the worker, dead and not yet waited for, was its last, and what it has
  /// written in it, and returns the circumstances of its end.
  uint32_t examine(int status) {
    if (std::optional<uint64_t> begun = newestBegun())
      remark(Begun, *begun);
    if (uint64_t bytes = writtenSince(Worker))
      remark(Written, bytes);
    uint32_t circumstances = 0;
    if (OutOfMemory.happened())
      circumstances |= EndedOutOfMemory;
    std::optional<ProcessState> state = stateOf(Worker);
    if (state && state->Executed)
      circumstances |= EndedAfterExec;
    if (state && hasUsedItsTime(Worker, status, state->Seconds))
      circumstances |= EndedProcessorLimit;
    if (state && state->Forbidden)
      circumstances |= EndedForbiddenCall;
    return circumstances;
  }

  void remark(RemarkKind kind, uint64_t value) {
    report(Remark, static_cast<uint32_t>(kind), value);
  }

  void reportEnd(int code, int status, uint32_t circumstances) {
    report(WorkerEnded, static_cast<uint32_t>(Worker), static_cast<int32_t>(code),
           static_cast<int32_t>(status), circumstances, takeCrashRecord(Worker));
    Worker = 0;
  }

  void reap() {
    signalfd_siginfo pending[16];
    (void)!::read(ChildSignals.get(), pending, sizeof pending);
    for (;;) {
      siginfo_t ended{};
      if (::waitid(P_ALL, 0, &ended, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) != 0 ||
          ended.si_pid == 0)
        return;
      bool traced = ended.si_code == CLD_TRAPPED;
      bool stopped = ended.si_code == CLD_STOPPED || traced;
      uint32_t circumstances = 0;
      if (ended.si_pid == Worker && !stopped)
        circumstances = examine(ended.si_status);
      siginfo_t taken{};
      ::waitid(P_PID, static_cast<id_t>(ended.si_pid), &taken, WEXITED | WSTOPPED | WNOHANG);
      if (ended.si_pid == Librarian && !stopped)
        Librarian = 0;
      if (ended.si_pid == Replaced && !stopped) {
        report(WorkerEnded, static_cast<uint32_t>(std::exchange(Replaced, 0)),
               static_cast<int32_t>(ended.si_code), static_cast<int32_t>(ended.si_status),
               uint32_t(0), std::string());
      } else if (traced)
        letGo(ended.si_pid, ended.si_status);
      else if (ended.si_pid != Worker)
        continue; // a discarded snapshot, or an orphan of the user's program
      else if (!stopped) {
        reportEnd(ended.si_code, ended.si_status, circumstances);
      } else {
        // Nobody else would continue it: the program is in no shell's job control.
        remark(Continued, static_cast<uint64_t>(ended.si_status));
        ::kill(Worker, SIGCONT);
      }
    }
  }

  /// Lets a thread go that has asked to be traced by its parent (PTRACE_TRACEME), which is this
  /// process and no debugger, and that a signal has stopped. The signal takes its course.
  void letGo(pid_t thread, int signal) {
    std::optional<ProcessState> state = stateOf(thread);
    // A traced thread gets SIGTRAP when it has executed a program, which would be the end of that.
    bool ofExec = signal == SIGTRAP && state && state->Executed;
    ::ptrace(PTRACE_DETACH, thread, nullptr, ofExec ? 0L : static_cast<long>(signal));
    remark(Traced, static_cast<uint64_t>(signal));
  }

  int ControlFd;
  Connection Control;
  uint64_t NextSequenceNumber = 0;
  pid_t Worker;
  uint32_t MostProcesses = 0; // beside the worker; 0 for any number
  pid_t Librarian = 0;
  pid_t Replaced = 0;                // a worker that is dying, with another in its place already
  pid_t Useless = 0;                 // the worker that was found to serve no call any more
  std::optional<int> MainThreadsEnd; // of the worker that is killed for want of it, as for `wait`
  UniqueFd ChildSignals;
  OutOfMemoryKills OutOfMemory;
};

/// The near side must see the end of a captured stream when the worker ends, not when the
/// supervisor does.
void leaveStandardStreams() {
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd)
    if (null < 0 || ::dup2(null, fd) < 0)
      ::close(fd);
  if (null > 2)
    ::close(null);
}

} // namespace

void superviseForked(UniqueFd control, pid_t worker, UniqueFd record) {
  // Ignored signals and blocked ones outlive an exec, and were the program's.
  for (int number = 1; number < NSIG; ++number)
    ::signal(number, SIG_DFL);
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &children, nullptr);
  ::prctl(PR_SET_NAME, "farside-executor");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  (void)!::chdir("/");
  leaveStandardStreams();
  if (record)
    openCrashRecord(std::move(record));
  UniqueFd signals(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  Supervisor(std::move(control), worker, std::move(signals)).serve();
}

void becomeWorker(UniqueFd control, int dataIn, int dataOut) {
  pid_t supervisor = ::getpid();
  ::signal(SIGINT, SIG_IGN);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Blocked before the fork, or the worker's end could pass unseen.
  sigset_t children;
  sigset_t before;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, &before);
  pid_t worker = ::fork();
  if (worker < 0) {
    std::fprintf(stderr, "farside-executor: cannot fork: %s\n", std::strerror(errno));
    ::_exit(2);
  }
  if (worker == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != supervisor)
      ::_exit(2); // it died between the fork and the line above
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::setsid();
    allowSnapshots(supervisor);
    return;
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::close(dataIn);
  if (dataOut != dataIn)
    ::close(dataOut);
  leaveStandardStreams();
  UniqueFd signals(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
  Supervisor(std::move(control), worker, std::move(signals)).serve();
}

} // namespace farside
