// What the executor offers: the Setup message and the tables behind it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace farside {

struct BootstrapSymbol {
  std::string_view Name;
  uint64_t Address;
};

template <typename Pointer> BootstrapSymbol symbol(std::string_view name, Pointer *pointer) {
  return {name, reinterpret_cast<uint64_t>(pointer)};
}

// Each service names its own symbols, in its own file.
std::span<const BootstrapSymbol> dylibManagerSymbols();
std::span<const BootstrapSymbol> simpleMemoryManagerSymbols();
std::span<const BootstrapSymbol> sharedMemoryMapperSymbols();
std::span<const BootstrapSymbol> memoryAccessSymbols();
std::span<const BootstrapSymbol> debuggerSymbols();
std::span<const BootstrapSymbol> platformSymbols();
std::span<const BootstrapSymbol> commitSymbols();
std::span<const BootstrapSymbol> callSymbols();
std::span<const BootstrapSymbol> tlsOffsetSymbols();
std::span<const BootstrapSymbol> snapshotSymbols();
std::span<const BootstrapSymbol> showSymbols();
std::span<const BootstrapSymbol> loadedLibrariesSymbols();

/// The payload of the Setup message. In the near side's own process there is less on offer: no
/// snapshots, and of thread-local storage only what a library can have that is loaded late.
std::string encodeSetup(bool inProcess = false);

} // namespace farside
