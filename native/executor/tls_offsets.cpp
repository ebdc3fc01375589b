// Thread-local variables of libraries: those that lie at one distance from the thread pointer in
// every thread, and those that glibc allocates for each thread, by module and offset.
#include "bootstrap.h"
#include "wrapper.h"

#include <dlfcn.h>
#include <link.h>
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

/// glibc's number for a library's thread-local storage, and a variable's offset within it: what the
/// two words of an entry for glibc's own `__tls_get_addr` are.
using Place = std::tuple<uint64_t, uint64_t>;

/// Which library's thread-local storage, of the calling thread, an address lies in.
struct Search {
  uint64_t Address;
  std::optional<Place> Found;
};

int searchModule(dl_phdr_info *info, size_t, void *pointer) {
  auto &search = *static_cast<Search *>(pointer);
  auto start = reinterpret_cast<uint64_t>(info->dlpi_tls_data);
  if (start == 0)
    return 0;
  for (size_t i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    if (segment.p_type == PT_TLS && search.Address >= start &&
        search.Address - start < segment.p_memsz) {
      search.Found = Place{info->dlpi_tls_modid, search.Address - start};
      return 1;
    }
  }
  return 0;
}

std::vector<std::optional<Place>> placesOf(const std::vector<std::string> &names) {
  std::vector<std::optional<Place>> places;
  for (const std::string &name : names) {
    // To look a thread-local variable up is to allocate the calling thread's storage of its
    // library.
    Search search{reinterpret_cast<uint64_t>(::dlsym(RTLD_DEFAULT, name.c_str())), std::nullopt};
    if (search.Address != 0)
      ::dl_iterate_phdr(searchModule, &search);
    places.push_back(search.Found);
  }
  return places;
}

WrapperResult tlsModules(const char *data, size_t size) {
  return serveWrapper<std::vector<std::string>>(data, size, placesOf);
}

WrapperResult tlsOffsets(const char *data, size_t size) {
  return serveWrapper<std::vector<std::string>>(data, size, staticOffsets);
}

} // namespace

std::span<const BootstrapSymbol> tlsOffsetSymbols() {
  static const BootstrapSymbol symbols[] = {symbol("farside_tls_offsets", tlsOffsets),
                                            symbol("farside_tls_modules", tlsModules)};
  return symbols;
}

} // namespace farside
