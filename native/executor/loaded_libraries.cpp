// Which shared libraries the program has loaded, in whatever way.
#include "bootstrap.h"
#include "wrapper.h"

#include <link.h>

namespace farside {

namespace {

int addName(dl_phdr_info *info, size_t, void *names) {
  if (info->dlpi_name != nullptr && info->dlpi_name[0] == '/')
    static_cast<std::vector<std::string> *>(names)->emplace_back(info->dlpi_name);
  return 0;
}

WrapperResult loadedLibraries(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] {
    std::vector<std::string> names;
    ::dl_iterate_phdr(addName, &names);
    return names;
  });
}

} // namespace

std::span<const BootstrapSymbol> loadedLibrariesSymbols() {
  static const BootstrapSymbol symbols[] = {symbol("farside_loaded_libraries", loadedLibraries)};
  return symbols;
}

} // namespace farside
