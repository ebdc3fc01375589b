// farside-compiler: Clang, incremental, in a process of its own. See docs/design.md.
//
//   farside-compiler --fd=N                      serves the socket N
//   farside-compiler --build-pch=OUT -- ARGS...  builds the precompiled standard library
#include "pch.h"
#include "process.h"
#include "server.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

int usage() {
  llvm::errs() << "usage: farside-compiler --fd=N | --build-pch=FILE -- CLANG-OPTION...\n";
  return 2;
}

/// A crash of Clang's is the near side's to report; nothing is written to the user's terminal.
void onFatalError(void *, const char *, bool) {
  farside::announceEnd("fatal error");
  _exit(70);
}

int serve(llvm::StringRef number) {
  int fd = -1;
  if (number.getAsInteger(10, fd) || fd < 3 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
    return usage();
  // What else the near side has been given, such as a pipe whose reader waits for its end.
  if (fd > 3)
    ::close_range(3, static_cast<unsigned>(fd) - 1, 0);
  ::close_range(static_cast<unsigned>(fd) + 1, ~0U, 0);
  farside::Server server{farside::Channel(farside::Descriptor(fd))};
  return server.run();
}

int build(llvm::StringRef output, int count, char **rest) {
  if (output.empty() || count < 1 || std::strcmp(rest[0], "--") != 0)
    return usage();
  ::umask(077);
  // Nobody waits for it; the time of the session that wants it comes first.
  ::setpriority(PRIO_PROCESS, 0, 19);
  return farside::buildPch(output.str(), std::vector<std::string>(rest + 1, rest + count));
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 2)
    return usage();
  llvm::StringRef mode = argv[1];
  llvm::install_fatal_error_handler(onFatalError);
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::InitializeNativeTargetAsmParser();
  int status = farside::runOnLargeStack([&] {
    if (mode.consume_front("--fd=")) {
      farside::quietSignals();
      farside::announceEnds();
      return serve(mode);
    }
    if (mode.consume_front("--build-pch="))
      return build(mode, argc - 2, argv + 2);
    return usage();
  });
  // Clang's memory is given back with the process, faster than piece by piece.
  llvm::outs().flush();
  _exit(status);
}
