#include "bootstrap.h"

#include "memory.h"
#include "server.h"
#include "sps.h"
#include "tls.h"

namespace farside {

namespace {

constexpr uint32_t farsideVersion = 1;

template <typename... T> std::string blob(T... values) {
  std::string bytes;
  (encode(bytes, values), ...);
  return bytes;
}

bool isWithheld(std::string_view name) { return name == "farside_snapshot"; }

} // namespace

std::string encodeSetup(bool inProcess) {
  AddrRange slab = Slab::get().range();
  StaticTlsPool pool = staticTlsPool();
  std::vector<std::tuple<std::string, std::string>> map{
      {"farside_version", blob(farsideVersion)},
      {"farside_static_tls", blob(pool.Offset, pool.Size)},
  };
  if (slab.size() != 0)
    map.emplace_back("farside_slab", blob(slab.Start, slab.size()));
  if (AddrRange low = Slab::get().lowRange(); low.size() != 0)
    map.emplace_back("farside_low_slab", blob(low.Start, low.size()));

  std::vector<std::tuple<std::string, uint64_t>> symbols{
      {"__llvm_orc_SimpleRemoteEPC_dispatch_fn", reinterpret_cast<uint64_t>(farsideDispatch)},
      {"__llvm_orc_SimpleRemoteEPC_dispatch_ctx", reinterpret_cast<uint64_t>(&Server::get())},
  };
  for (auto service :
       {dylibManagerSymbols(), simpleMemoryManagerSymbols(), sharedMemoryMapperSymbols(),
        memoryAccessSymbols(), debuggerSymbols(), platformSymbols(), commitSymbols(), callSymbols(),
        tlsOffsetSymbols(), snapshotSymbols(), showSymbols(), loadedLibrariesSymbols()})
    for (const BootstrapSymbol &entry : service)
      if (!inProcess || !isWithheld(entry.Name))
        symbols.emplace_back(entry.Name, entry.Address);

  std::string setup;
  encode(setup, std::string_view("x86_64-pc-linux-gnu"));
  encode(setup, pageSize());
  encode(setup, map);
  encode(setup, symbols);
  return setup;
}

} // namespace farside
