// ORC's SimpleExecutorDylibManager: opens libraries and looks symbols up in them.
#include "bootstrap.h"
#include "instances.h"
#include "libc_table.h"
#include "wrapper.h"

#include <dlfcn.h>
#include <set>

namespace farside {

namespace {

/// SPSExecutorSymbolDef: (address, (flags, target flags)).
using SymbolDef = std::tuple<uint64_t, uint8_t, uint8_t>;
constexpr uint8_t exported = 0x10;

/// One handle given out by `open`. Each open gives a new one, never closed, as ORC has it.
struct Resolver {
  void *Library;
  bool IsProcess;
};

std::set<const Resolver *> &resolvers() {
  static auto *all = new std::set<const Resolver *>;
  return *all;
}

Expected<uint64_t> open(uint64_t, const std::string &path, uint64_t mode) {
  if (mode != 0)
    return Error("open: non-zero mode bits not yet supported");
  void *library = ::dlopen(path.empty() ? nullptr : path.c_str(), RTLD_LAZY | RTLD_GLOBAL);
  if (library == nullptr) {
    const char *why = ::dlerror();
    return Error(why == nullptr ? "dlopen failed" : why);
  }
  auto *resolver = new Resolver{library, path.empty()};
  resolvers().insert(resolver);
  return reinterpret_cast<uint64_t>(resolver);
}

/// The executor as a library: in a process of others its names are not in the global scope.
void *ourselves() {
  static void *handle = [] {
    Dl_info info{};
    ::dladdr(reinterpret_cast<void *>(&ourselves), &info);
    void *library = ::dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr)
      return RTLD_DEFAULT;
    ::dlclose(library); // whoever loaded it decides how long it stays
    return library;
  }();
  return handle;
}

uint64_t lookUp(const Resolver &resolver, const std::string &name) {
  if (resolver.IsProcess) {
    uint64_t own = findOwnSymbol(name);
    if (own == 0 && name.starts_with("__farside_"))
      own = reinterpret_cast<uint64_t>(::dlsym(ourselves(), name.c_str()));
    if (own != 0)
      return own;
  }
  auto *found = ::dlsym(resolver.Library, name.c_str());
  if (found == nullptr && resolver.IsProcess)
    return findInstance(name);
  return reinterpret_cast<uint64_t>(found);
}

using Names = std::vector<std::tuple<std::string, bool>>; // name, required
using Found = std::vector<std::optional<SymbolDef>>;

Expected<Found> resolve(uint64_t handle, const Names &names) {
  const auto *resolver = reinterpret_cast<const Resolver *>(handle);
  if (!resolvers().contains(resolver))
    return Error("resolve: unknown library handle");
  Found found;
  found.reserve(names.size());
  for (const auto &[name, required] : names) {
    uint64_t address = name.empty() ? 0 : lookUp(*resolver, name);
    if (address == 0 && (required || name.empty()))
      found.emplace_back(std::nullopt);
    else
      found.emplace_back(SymbolDef{address, exported, 0});
  }
  return found;
}

WrapperResult openWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::string, uint64_t>(data, size, open);
}

WrapperResult resolveWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, Names>(data, size, resolve);
}

} // namespace

std::span<const BootstrapSymbol> dylibManagerSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("__llvm_orc_SimpleExecutorDylibManager_Instance", &resolvers()),
      symbol("__llvm_orc_SimpleExecutorDylibManager_open_wrapper", openWrapper),
      symbol("__llvm_orc_SimpleExecutorDylibManager_resolve_wrapper", resolveWrapper),
  };
  return symbols;
}

} // namespace farside
