// Calls from Python: farside_call, and buffers that both sides share.
#include "bootstrap.h"
#include "call_steps.h"
#include "callbacks.h"
#include "crash.h"
#include "platform.h"
#include "server.h"
#include "wrapper.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>

namespace farside {

namespace {

/// Memory that came as a descriptor, mapped until the object goes.
class Mapped {
public:
  static Expected<Mapped> make(uint64_t size, bool shared) {
    UniqueFd memory = Server::get().takePassed();
    struct stat file{};
    if (!memory || ::fstat(memory.get(), &file) != 0)
      return Error("the descriptor of the memory did not come with the request");
    if (size == 0 || static_cast<uint64_t>(file.st_size) < size)
      return Error("the memory is smaller than its contents");
    void *at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE,
                      memory.get(), 0);
    if (at == MAP_FAILED)
      return Error(std::string("the memory cannot be mapped: ") + std::strerror(errno));
    return Mapped(at, size);
  }
  Mapped(Mapped &&other) noexcept : At(std::exchange(other.At, nullptr)), Size(other.Size) {}
  Mapped &operator=(Mapped &&) = delete;
  ~Mapped() {
    if (At != nullptr)
      ::munmap(At, Size);
  }
  void *data() const { return At; }
  uint64_t size() const { return Size; }
  void *release() { return std::exchange(At, nullptr); }

private:
  Mapped(void *at, uint64_t size) : At(at), Size(size) {}
  void *At;
  uint64_t Size;
};

class NativeScope : public CallScope {
public:
  void enter(uint64_t header) override { Scope.emplace(header, 0); }
  void leave() override { Scope.reset(); }

private:
  std::optional<Platform::CodeScope> Scope;
};

Expected<RunOutcome> call(uint64_t header, uint64_t function, uint64_t size, bool shared,
                          std::string_view arguments) {
  noteWrittenSoon();
  NativeScope scope;
  if (size == 0)
    return runCall(scope, header, function, arguments, nullptr, 0);
  auto memory = Mapped::make(size, shared);
  if (!memory)
    return memory.error();
  return runCall(scope, header, function, arguments, (*memory).data(), size);
}

WrapperResult callWrapperFunction(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t, uint64_t, bool, std::string_view>(data, size, call);
}

/// Buffers that both sides share, by their keys. They stay to the end of the process.
struct Shared {
  std::mutex Mutex;
  std::map<uint64_t, std::pair<void *, uint64_t>> Buffers;
};

Shared &shared() {
  static auto *instance = new Shared;
  return *instance;
}

Error share(uint64_t key, uint64_t size) {
  auto memory = Mapped::make(size, true);
  if (!memory)
    return memory.error();
  std::lock_guard lock(shared().Mutex);
  if (!shared().Buffers.try_emplace(key, (*memory).data(), size).second)
    return Error("a shared buffer with this number is there already");
  (void)(*memory).release();
  return {};
}

WrapperResult shareWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, share);
}

} // namespace

std::span<const BootstrapSymbol> callSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("farside_call", callWrapperFunction),
      symbol("farside_share", shareWrapper),
      symbol("farside_callback_tag", &farside_callback_tag),
  };
  return symbols;
}

} // namespace farside

extern "C" {

/// The buffer that the session shares under a number, or null if it is not of that size.
__attribute__((visibility("default"))) void *__farside_shared(uint64_t key, uint64_t size) {
  std::lock_guard lock(farside::shared().Mutex);
  auto found = farside::shared().Buffers.find(key);
  if (found == farside::shared().Buffers.end() || found->second.second < size)
    return nullptr;
  return found->second.first;
}

} // extern "C"
