// farside-executor: the far side of a session.
//
//   farside-executor filedescs=IN,OUT [control=FD] [slab=BYTES] [mark=NUMBER]
//   farside-executor listen=HOST:PORT
//   farside-executor control=FD supervise=PID [record=FD]
//   farside-executor librarian=FD
//
// The third form is what a snapshot executes to become a supervisor; see supervisor.h.
// The last starts a librarian (librarian.h) for a near side whose executor has no supervisor, and
// ends at once; the librarian goes on alone until its stream ends. The slab is 2 GiB less two pages
// unless told otherwise, and none for a plain ORC executor.
//
// With `control` this process is the supervisor and forks the worker; without it, it is a plain ORC
// executor. The mark is a number that all processes of this executor are known by (markProcesses).
// Further arguments are ignored, as LLVM's executor ignores them.
#include "bootstrap.h"
#include "client_watch.h"
#include "crash.h"
#include "librarian.h"
#include "listen.h"
#include "memory.h"
#include "platform.h"
#include "processes.h"
#include "server.h"
#include "supervisor.h"
#include "tls.h"

#include <atomic>
#include <charconv>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>

using namespace farside;

namespace {

// Two pages short of 2 GiB: every place in the slab reaches every other with a signed 32-bit
// displacement, whatever the addend.
constexpr uint64_t defaultSlab = (uint64_t{2} << 30) - 8192;
constexpr uint64_t smallestSlab = uint64_t{64} << 20;
constexpr uint64_t lowSlab = uint64_t{64} << 20;

/// Whether `main` returns, rather than that the program calls exit.
std::atomic<bool> orderlyEnd = false;

struct Arguments {
  int In = -1;
  int Out = -1;
  int Control = -1;
  int Supervise = -1;
  int Record = -1;
  int Librarian = -1;
  std::optional<uint64_t> Slab;
  std::optional<uint64_t> Mark;
  std::string_view Listen;
};

template <typename T> bool parse(std::string_view text, T &value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool parseArgument(std::string_view argument, Arguments &arguments) {
  size_t equals = argument.find('=');
  if (equals == std::string_view::npos)
    return true;
  std::string_view key = argument.substr(0, equals);
  std::string_view value = argument.substr(equals + 1);
  if (key == "filedescs") {
    size_t comma = value.find(',');
    return comma != std::string_view::npos && parse(value.substr(0, comma), arguments.In) &&
           parse(value.substr(comma + 1), arguments.Out);
  }
  if (key == "listen") {
    arguments.Listen = value;
    return true;
  }
  if (key == "control")
    return parse(value, arguments.Control);
  if (key == "supervise")
    return parse(value, arguments.Supervise);
  if (key == "record")
    return parse(value, arguments.Record);
  if (key == "librarian")
    return parse(value, arguments.Librarian);
  if (key == "slab")
    return parse(value, arguments.Slab.emplace());
  if (key == "mark")
    return parse(value, arguments.Mark.emplace());
  return true;
}

bool isOpen(int fd) { return fd >= 0 && ::fcntl(fd, F_GETFD) >= 0; }

bool parseArguments(int argc, char **argv, Arguments &arguments) {
  for (int i = 1; i < argc; ++i)
    if (!parseArgument(argv[i], arguments)) {
      std::fprintf(stderr, "farside-executor: malformed argument %s\n", argv[i]);
      return false;
    }
  if (!arguments.Listen.empty()) {
    auto connection = acceptOne(arguments.Listen);
    if (!connection) {
      std::fprintf(stderr, "farside-executor: %s\n", connection.text().c_str());
      return false;
    }
    arguments.In = arguments.Out = *connection;
  }
  if (arguments.Librarian >= 0)
    return isOpen(arguments.Librarian);
  if (arguments.Supervise > 0)
    return isOpen(arguments.Control);
  if (!isOpen(arguments.In) || !isOpen(arguments.Out) ||
      (arguments.Control >= 0 && !isOpen(arguments.Control))) {
    std::fprintf(stderr, "usage: farside-executor filedescs=IN,OUT [control=FD] [slab=BYTES]\n"
                         "The numbers must be those of open file descriptors.\n");
    return false;
  }
  return true;
}

/// Without a size by the user, a machine with a limit on addresses gets what it allows. A plain ORC
/// executor gets no slab: it would lie between the places that the kernel gives to its clients'
/// reservations, and put them out of each other's reach.
Error reserveSlab(std::optional<uint64_t> size, bool plain) {
  if (size)
    return Slab::get().reserve(*size);
  if (plain)
    return {};
  uint64_t wanted = defaultSlab;
  Error error = Slab::get().reserve(wanted);
  while (error && wanted > smallestSlab) {
    wanted /= 2;
    error = Slab::get().reserve(wanted);
  }
  return error;
}

/// The near side has the program's allocator use huge pages, which makes copying it by fork cheap.
/// The environment that the program hands on is as it was before.
void hideTunable() {
  constexpr std::string_view added = "glibc.malloc.hugetlb=1";
  const char *value = std::getenv("GLIBC_TUNABLES");
  std::string tunables = value == nullptr ? "" : value;
  if (tunables == added)
    ::unsetenv("GLIBC_TUNABLES");
  else if (tunables.ends_with(":" + std::string(added)))
    ::setenv("GLIBC_TUNABLES", tunables.substr(0, tunables.size() - added.size() - 1).c_str(), 1);
}

int startLibrarian(int stream) {
  pid_t librarian = ::fork();
  if (librarian != 0)
    return librarian < 0 ? 2 : 0;
  ::setsid();
  becomeLibrarian(UniqueFd(stream));
}

int runWorker(Arguments arguments) {
  bool oneSocket = arguments.In == arguments.Out;
  UniqueFd in = moveHigh(arguments.In);
  UniqueFd out = oneSocket ? UniqueFd() : moveHigh(arguments.Out);
  if (Error error = reserveSlab(arguments.Slab, arguments.Control < 0)) {
    std::fprintf(stderr, "farside-executor: %s\n", error.text().c_str());
    return 2;
  }
  if (arguments.Control >= 0)
    Slab::get().reserveLow(lowSlab);
  initialiseTls();
  // exit() in user code and the orderly end take the same road.
  std::atexit([] {
    if (!orderlyEnd)
      recordExit(ExitKind::Exit);
    Platform::get().runAllExitHandlers(false);
  });
  std::at_quick_exit([] {
    recordExit(ExitKind::QuickExit);
    Platform::get().runAllExitHandlers(true);
  });
  installCrashHandlers();
  int stream = in.get();
  Server::get().start(Connection(std::move(in), std::move(out)));
  if (arguments.Control < 0)
    watchClient(stream);
  int status = Server::get().run(encodeSetup());
  if (status != 0)
    recordExit(ExitKind::Disconnected);
  orderlyEnd = true;
  return status;
}

} // namespace

__attribute__((visibility("hidden"))) int main(int argc, char **argv) {
  Arguments arguments;
  if (!parseArguments(argc, argv, arguments))
    return 2;
  if (arguments.Librarian >= 0)
    return startLibrarian(arguments.Librarian);
  if (arguments.Supervise > 0) {
    ::fcntl(arguments.Control, F_SETFD, FD_CLOEXEC);
    superviseForked(UniqueFd(arguments.Control), arguments.Supervise, UniqueFd(arguments.Record));
  }
  if (arguments.Control >= 0) {
    hideTunable();
    if (arguments.Mark)
      markProcesses(*arguments.Mark);
    prepareCrashRecord();
    becomeWorker(moveHigh(arguments.Control), arguments.In, arguments.Out);
    std::signal(SIGPIPE, SIG_DFL);
  }
  return runWorker(arguments);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// The cells' memory is not what a leak checker can follow, and how a cell dies is for the
// supervisor to tell. Both are called before the sanitizer is ready for instrumented code.
#define FARSIDE_SANITIZER_OPTIONS                                                                  \
  "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0"

extern "C" __attribute__((visibility("default"), used, no_sanitize("address", "thread")))
const char *__asan_default_options() {
  return FARSIDE_SANITIZER_OPTIONS;
}

extern "C" __attribute__((visibility("default"), used, no_sanitize("address", "thread")))
const char *
__tsan_default_options() {
  return FARSIDE_SANITIZER_OPTIONS;
}
#endif
