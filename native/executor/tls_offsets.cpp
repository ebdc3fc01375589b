// Thread-local variables of libraries that lie at one distance from the thread pointer everywhere.
#include "bootstrap.h"
#include "wrapper.h"

#include <dlfcn.h>
#include <thread>

namespace farside {

namespace {

using Offsets = std::vector<std::optional<int64_t>>;

/// The distance of each name's address, as the calling thread sees it, from its thread pointer.
Offsets offsetsHere(const std::vector<std::string> &names) {
  auto threadPointer = reinterpret_cast<int64_t>(__builtin_thread_pointer());
  Offsets offsets;
  for (const std::string &name : names) {
    void *address = ::dlsym(RTLD_DEFAULT, name.c_str());
    offsets.emplace_back(address == nullptr
                             ? std::nullopt
                             : std::optional(reinterpret_cast<int64_t>(address) - threadPointer));
  }
  return offsets;
}

/// A variable in static thread-local storage lies at the same distance in two threads; what is not
/// thread-local, or is allocated by each thread, does not. glibc offers no other public way to ask.
Offsets staticOffsets(const std::vector<std::string> &names) {
  Offsets here = offsetsHere(names);
  Offsets there;
  std::thread([&] { there = offsetsHere(names); }).join();
  for (size_t i = 0; i < here.size(); ++i)
    if (here[i] != there[i])
      here[i].reset();
  return here;
}

WrapperResult tlsOffsets(const char *data, size_t size) {
  return serveWrapper<std::vector<std::string>>(data, size, staticOffsets);
}

} // namespace

std::span<const BootstrapSymbol> tlsOffsetSymbols() {
  static const BootstrapSymbol symbols[] = {symbol("farside_tls_offsets", tlsOffsets)};
  return symbols;
}

} // namespace farside
