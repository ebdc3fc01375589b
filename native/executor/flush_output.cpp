#include "run_report.h"

#include <cstdio>
#include <iostream>

namespace farside {

void flushOutput() {
  try {
    std::cout.flush();
    std::wcout.flush();
  } catch (...) {
    // The user asked std::cout to throw on errors; the code is over, nobody could catch it.
  }
  std::fflush(nullptr);
}

} // namespace farside
