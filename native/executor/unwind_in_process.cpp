// Unwind tables in a process whose unwinder is not ours to replace: they are given to libgcc, which
// keeps them in a list. A throw costs more the more cells there are.
#include "unwind.h"

#include "eh_frame.h"

#include <mutex>
#include <set>
#include <utility>

extern "C" {
void __register_frame(void *begin);
void __deregister_frame(void *begin);
}

namespace farside {

namespace {

struct Registered {
  std::mutex Mutex;
  std::set<uint64_t> Starts;
};

Registered &registered() {
  static auto *instance = new Registered;
  return *instance;
}

} // namespace

Error registerEhFrame(AddrRange section) {
  // libgcc walks it to the terminator, wherever that is.
  if (auto frames = readEhFrame(section); !frames)
    return frames.error();
  Registered &all = registered();
  std::lock_guard lock(all.Mutex);
  if (!all.Starts.insert(section.Start).second)
    return Error("this .eh_frame is registered already");
  ::__register_frame(reinterpret_cast<void *>(section.Start));
  return {};
}

Error deregisterEhFrame(AddrRange section) {
  Registered &all = registered();
  std::lock_guard lock(all.Mutex);
  if (all.Starts.erase(section.Start) == 0)
    return Error("this .eh_frame is not registered");
  ::__deregister_frame(reinterpret_cast<void *>(section.Start));
  return {};
}

uint64_t countEhFrames() {
  Registered &all = registered();
  std::lock_guard lock(all.Mutex);
  return all.Starts.size();
}

void forgetEhFrames() {
  Registered &all = registered();
  std::lock_guard lock(all.Mutex);
  for (uint64_t start : std::exchange(all.Starts, {}))
    ::__deregister_frame(reinterpret_cast<void *>(start));
}

} // namespace farside
