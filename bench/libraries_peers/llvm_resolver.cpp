// LLVM's own search of libraries that are not loaded: llvm::orc::LibraryResolver.
//
//   llvm_resolver DIRECTORY NAME…
//
// Prints: seconds of the scan, for each name whether it was found and the seconds that took, and
// the resident memory in KB. LLVM builds a library's filter when it first searches that library, so
// the first name that is in none of them pays for all.
#include <llvm/ExecutionEngine/Orc/TargetProcess/LibraryResolver.h>

#include <chrono>
#include <cstdio>
#include <unistd.h>

using Clock = std::chrono::steady_clock;

static double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int main(int argc, char **argv) {
  using namespace llvm::orc;
  auto start = Clock::now();
  auto driver = LibraryResolutionDriver::create(LibraryResolver::Setup::create({argv[1]}));
  if (!driver)
    return 1;
  driver->scanAll();
  std::printf("%.6f\n", since(start));
  for (int i = 2; i < argc; ++i) {
    llvm::StringRef name(argv[i]);
    bool found = false;
    start = Clock::now();
    driver->resolveSymbols(
        {name}, [&](LibraryResolver::SymbolQuery &query) { found = query.allResolved(); },
        SearchConfig());
    std::printf("%d %.9f\n", found, since(start));
  }
  long pages = 0;
  if (std::FILE *status = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(status, "%*d %ld", &pages) != 1)
      return 1;
    std::fclose(status);
  }
  std::printf("%ld\n", pages * sysconf(_SC_PAGESIZE) / 1024);
  std::fflush(stdout);
  _exit(0);
}
