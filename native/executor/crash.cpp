#include "crash.h"

#include "clock.h"
#include "crash_record.h"
#include "crash_symbols.h"
#include "crash_threads.h"
#include "exception_text.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

extern "C" const void *_Unwind_Find_FDE(void *pc, void *bases);

namespace farside {

namespace {

/// Bytes that the process had written when that was last counted. One that was forked since has
/// written nothing.
struct CountedAhead {
  uint64_t Written = 0;
  uint64_t At = 0; // of the monotonic clock, 0 if nothing was counted
};
CountedAhead ahead;

CrashRecord *record = nullptr;
constexpr int fatalSignals[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL, SIGABRT,
                                SIGTRAP, SIGSYS, SIGXCPU, SIGXFSZ};

/// A frame count at which a stack is taken for damaged.
constexpr uint64_t mostFrames = uint64_t{1} << 20;

/// libc's text of the reason for which it aborts, glibc's `struct abort_msg_s`.
struct AbortMessage {
  unsigned Size;
  char Text[1];
};
AbortMessage *const *abortMessage = nullptr;

// --- a second fault
// --------------------------------------------------------------------------------

sigjmp_buf afterFault;
volatile sig_atomic_t guarded = 0;

/// Runs one step of the handler; a fault in it ends the step.
template <typename Step> void attempt(Step step) {
  if (sigsetjmp(afterFault, 0) == 0) {
    guarded = 1;
    step();
  }
  guarded = 0;
}

// --- the call stack
// --------------------------------------------------------------------------------

struct Walk {
  uint64_t From; // frames before the one at this address are the handler's own; 0 for none
};

_Unwind_Reason_Code takeFrame(_Unwind_Context *context, void *argument) {
  auto *walk = static_cast<Walk *>(argument);
  int exact = 0;
  uint64_t pc = _Unwind_GetIPInfo(context, &exact);
  if (walk->From != 0 && pc != walk->From)
    return _URC_NO_REASON;
  walk->From = 0;
  if (pc == 0)
    return _URC_END_OF_STACK;
  uint64_t seen = record->Header.FramesSeen++;
  size_t index = seen < firstFrames ? seen : firstFrames + (seen - firstFrames) % lastFrames;
  record->Frames[index] = {exact != 0 ? pc : pc - 1, 0, 0, 0};
  return seen >= mostFrames ? _URC_END_OF_STACK : _URC_NO_REASON;
}

bool hasUnwindInformation(uint64_t pc) {
  void *bases[3];
  return ::_Unwind_Find_FDE(reinterpret_cast<void *>(pc), bases) != nullptr;
}

/// The kernel's page of registers is what the unwinder goes on from, so the frame of a jump to
/// nowhere is taken off there: what called it left its return address on top of the stack.
void walkFrom(ucontext_t *context) {
  greg_t *registers = context->uc_mcontext.gregs;
  greg_t pc = registers[REG_RIP];
  greg_t sp = registers[REG_RSP];
  Walk walk{static_cast<uint64_t>(pc)};
  attempt([&] {
    if (!hasUnwindInformation(walk.From)) {
      uint64_t caller = *reinterpret_cast<const uint64_t *>(sp);
      if (!hasUnwindInformation(caller - 1))
        return;
      record->Frames[record->Header.FramesSeen++] = {walk.From, 0, 0, 0};
      walk.From = caller - 1; // the unwinder takes it for the instruction that was interrupted
      registers[REG_RIP] = static_cast<greg_t>(caller - 1);
      registers[REG_RSP] = sp + 8;
    }
    _Unwind_Backtrace(takeFrame, &walk);
  });
  registers[REG_RIP] = pc;
  registers[REG_RSP] = sp;
  if (record->Header.FramesSeen == 0)
    record->Frames[record->Header.FramesSeen++] = {static_cast<uint64_t>(pc), 0, 0, 0};
}

// --- the record
// ------------------------------------------------------------------------------------

void nameFrames() {
  for (size_t i = 0; i < maxFrames && i < record->Header.FramesSeen; ++i)
    attempt([&] { nameFrame(*record, i); });
}

void writeRegisters(const siginfo_t *info, const ucontext_t *context) {
  const greg_t *registers = context->uc_mcontext.gregs;
  CrashHeader &header = record->Header;
  header.Signal = info->si_signo;
  header.Code = info->si_code;
  header.Sender = info->si_code <= 0 ? info->si_pid : 0;
  header.Address = info->si_code <= 0 ? 0 : reinterpret_cast<uint64_t>(info->si_addr);
  header.Pc = static_cast<uint64_t>(registers[REG_RIP]);
  header.Sp = static_cast<uint64_t>(registers[REG_RSP]);
  header.Error = static_cast<uint64_t>(registers[REG_ERR]);
  header.Trap = static_cast<uint64_t>(registers[REG_TRAPNO]);
  StackBounds bounds = currentStack();
  header.StackLow = bounds.Low;
  header.StackHigh = bounds.High;
}

void beginRecord(uint32_t kind) {
  CrashHeader &header = record->Header;
  uint32_t exception = header.Exception; // std::terminate wrote it before abort
  uint32_t text = exception == 0 ? 1 : std::min<uint32_t>(header.TextSize, sizeof record->Text);
  header = CrashHeader{};
  header.Kind = kind;
  header.Process = ::getpid();
  header.Thread = ::gettid();
  header.RangeProt = 0x7fffffff;
  header.Exception = exception;
  header.TextSize = text;
  header.Magic = crashMagic;
}

void writeRecord(const siginfo_t *info, ucontext_t *context) {
  beginRecord(1);
  writeRegisters(info, context);
  walkFrom(context);
  if (info->si_signo == SIGSEGV || info->si_signo == SIGBUS)
    attempt([] { findMapping(*record); });
  nameFrames();
  if (info->si_signo == SIGABRT && abortMessage != nullptr)
    attempt([] {
      if (const AbortMessage *message = *abortMessage)
        record->Header.Message = addText(*record, message->Text, 1024);
    });
}

/// A system call without libc, which the program may have unmapped: what the handler cannot do
/// without must not fault itself, or it would come back to the handler for ever.
long systemCall(long number, long first = 0, long second = 0, long third = 0, long fourth = 0) {
  long result = 0;
  register long r10 __asm__("r10") = fourth;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}

bool isMine() { return record != nullptr && record->Owner.load() == systemCall(SYS_getpid); }

/// Ends the process as the signal would have done without a handler.
[[noreturn]] void die(int number) {
  struct KernelAction { // the kernel's layout, which is not libc's
    uint64_t Handler, Flags, Restorer, Mask;
  } byDefault{};
  uint64_t only = uint64_t{1} << (number - 1);
  systemCall(SYS_rt_sigaction, number, reinterpret_cast<long>(&byDefault), 0, sizeof only);
  systemCall(SYS_tgkill, systemCall(SYS_getpid), systemCall(SYS_gettid), number);
  systemCall(SYS_rt_sigprocmask, SIG_UNBLOCK, reinterpret_cast<long>(&only), 0, sizeof only);
  for (;;)
    systemCall(SYS_exit_group, 128 + number);
}

void handle(int number, siginfo_t *info, void *context) {
  int thread = static_cast<int>(systemCall(SYS_gettid));
  if (!isMine())
    die(number); // a child that the program forked
  int nobody = 0;
  if (record->Crasher.compare_exchange_strong(nobody, thread)) {
    writeRecord(info, static_cast<ucontext_t *>(context));
  } else if (nobody == thread) {
    if (guarded != 0) {
      guarded = 0;
      siglongjmp(afterFault, 1);
    }
  } else {
    // Another thread is writing its record, and then ends all of us.
    timespec patience{5, 0};
    systemCall(SYS_nanosleep, reinterpret_cast<long>(&patience));
  }
  die(number);
}

std::terminate_handler nextTerminate = nullptr;

/// The exception's text can be had only here, where code may still be run.
[[noreturn]] void onTerminate() {
  if (isMine() && std::current_exception() != nullptr) {
    ExceptionText exception = describeCurrentException();
    std::string text = exception.Type + (exception.What ? ": " + *exception.What : "");
    record->Header.TextSize = 1;
    record->Header.Exception = addText(*record, text.c_str(), 2048);
  }
  nextTerminate();
  std::abort();
}

} // namespace

void prepareCrashRecord() {
  void *memory = ::mmap(nullptr, sizeof(CrashRecord), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED)
    record = static_cast<CrashRecord *>(memory);
}

void releaseCrashRecord() {
  if (record != nullptr)
    ::munmap(record, sizeof(CrashRecord));
  record = nullptr;
}

UniqueFd renewCrashRecord() {
  if (record == nullptr)
    return {};
  UniqueFd memory = clearOfStandard(::memfd_create("farside crash record", MFD_CLOEXEC));
  if (!memory || ::ftruncate(memory.get(), sizeof(CrashRecord)) != 0 ||
      ::mmap(record, sizeof(CrashRecord), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             memory.get(), 0) == MAP_FAILED)
    return {};
  return memory;
}

void openCrashRecord(UniqueFd memory) {
  void *mapped =
      ::mmap(nullptr, sizeof(CrashRecord), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (mapped != MAP_FAILED)
    record = static_cast<CrashRecord *>(mapped);
}

void claimCrashRecord() {
  if (record == nullptr)
    return;
  record->Header.Magic = 0;
  record->Header.Exception = 0;
  record->Crasher.store(0);
  record->Owner.store(::getpid());
  ahead = {};
}

void installCrashHandlers() {
  if (record == nullptr)
    return;
  claimCrashRecord();
  useAlternateStack();
  abortMessage =
      static_cast<AbortMessage *const *>(::dlvsym(RTLD_DEFAULT, "__abort_msg", "GLIBC_PRIVATE"));
  // What the unwinder and our own index set up at their first use.
  _Unwind_Backtrace([](_Unwind_Context *, void *) { return _URC_END_OF_STACK; }, nullptr);
  hasUnwindInformation(reinterpret_cast<uint64_t>(&::abort));
  nextTerminate = std::set_terminate(onTerminate);
  struct sigaction action{};
  action.sa_sigaction = handle;
  // Not deferred: a second fault is to come back to `handle`.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int number : fatalSignals)
    ::sigaction(number, &action, nullptr);
}

namespace {

/// What the kernel has counted: bytes of all `write` calls, also those to pipes and terminals.
std::optional<uint64_t> countWritten(const char *file) {
  UniqueFd io(::open(file, O_RDONLY | O_CLOEXEC));
  char text[256];
  ssize_t size = io ? readSome(io.get(), text, sizeof text - 1) : 0;
  if (size <= 0)
    return std::nullopt;
  text[size] = 0;
  const char *found = std::strstr(text, "wchar: ");
  return found == nullptr ? std::nullopt
                          : std::optional<uint64_t>(std::strtoull(found + 7, nullptr, 10));
}

} // namespace

void noteWritten(bool beforeCall) {
  if (record != nullptr)
    record->Written.store(beforeCall ? countWritten("/proc/self/io").value_or(UINT64_MAX)
                                     : UINT64_MAX);
}

void countWrittenAhead() {
  if (record != nullptr)
    ahead = {countWritten("/proc/self/io").value_or(UINT64_MAX), monotonicNanoseconds()};
}

void noteWrittenSoon() {
  constexpr uint64_t justNow = 1'000'000; // nanoseconds
  if (ahead.At == 0 || monotonicNanoseconds() - ahead.At > justNow)
    noteWritten(true);
  else if (record != nullptr)
    record->Written.store(ahead.Written);
}

bool isIdle() { return record != nullptr && record->Written.load() == UINT64_MAX; }

uint64_t writtenSince(pid_t pid) {
  uint64_t before = record == nullptr ? UINT64_MAX : record->Written.load();
  std::string file = "/proc/" + std::to_string(pid) + "/io";
  uint64_t now = countWritten(file.c_str()).value_or(0);
  return now > before ? now - before : 0;
}

void noteBegun(uint64_t sequenceNumber) {
  if (record != nullptr && record->Begun.load() <= sequenceNumber)
    record->Begun.store(sequenceNumber + 1);
}

std::optional<uint64_t> newestBegun() {
  return record == nullptr ? std::nullopt : std::optional<uint64_t>(record->Begun.load());
}

void interruptCall(uint64_t sequenceNumber) {
  if (record != nullptr)
    record->Interrupted.store(sequenceNumber + 1, std::memory_order_relaxed);
}

bool isInterrupted(uint64_t sequenceNumber) {
  return record != nullptr &&
         record->Interrupted.load(std::memory_order_relaxed) == sequenceNumber + 1;
}

void recordExit(ExitKind kind) {
  int nobody = 0;
  if (!isMine() || !record->Crasher.compare_exchange_strong(nobody, ::gettid()))
    return;
  beginRecord(static_cast<uint32_t>(kind));
  Walk walk{0};
  attempt([&] { _Unwind_Backtrace(takeFrame, &walk); });
  nameFrames();
  record->Crasher.store(0); // exit handlers may crash yet
}

void recordedExitNow(int status) {
  recordExit(ExitKind::ImmediateExit);
  ::_exit(status);
}

std::string takeCrashRecord(pid_t pid) {
  if (record == nullptr || record->Header.Magic != crashMagic || record->Header.Process != pid)
    return {};
  const CrashHeader &header = record->Header;
  std::string bytes(reinterpret_cast<const char *>(&header), sizeof header);
  size_t frames = std::min<uint64_t>(header.FramesSeen, maxFrames);
  bytes.append(reinterpret_cast<const char *>(record->Frames), frames * sizeof(CrashFrame));
  bytes.append(record->Text, std::min<size_t>(header.TextSize, sizeof record->Text));
  record->Header.Magic = 0;
  return bytes;
}

} // namespace farside
