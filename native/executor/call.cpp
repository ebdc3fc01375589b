// Calls from Python: farside_call, buffers that both sides share, and calls back.
#include "bootstrap.h"
#include "call_steps.h"
#include "crash.h"
#include "platform.h"
#include "server.h"
#include "wrapper.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>

namespace farside {

namespace {

/// The address of this names the dispatch of calls back to the near side.
char callbackTag;

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
  noteWritten(true);
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

/// Goes by its name: the near side takes it for a mistake of its user.
class ArgumentError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

namespace {

/// One call back, from when its arguments are collected until its reply is not needed any more.
struct Callback {
  explicit Callback(uint64_t id) : Id(id), Arguments(ValueCollector::OfThread) {}
  uint64_t Id;
  ValueCollector Arguments;
  std::optional<WrapperBuffer> Reply;
};

} // namespace

std::span<const BootstrapSymbol> callSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("farside_call", callWrapperFunction),
      symbol("farside_share", shareWrapper),
      symbol("farside_callback_tag", &callbackTag),
  };
  return symbols;
}

} // namespace farside

using farside::Callback;

extern "C" {

/// An argument does not fit what it is to become; see farside/call.h.
[[noreturn]] __attribute__((visibility("default"))) void __farside_misfit(const char *text) {
  throw farside::ArgumentError(text);
}

/// The same for an integer that argument `argument` is, and the name of the type.
[[noreturn]] __attribute__((visibility("default"))) void
__farside_unfit(unsigned argument, const int64_t *value, unsigned isSigned, const char *type,
                uint64_t size) {
  std::string number =
      isSigned != 0 ? std::to_string(*value) : std::to_string(static_cast<uint64_t>(*value));
  throw farside::ArgumentError("argument " + std::to_string(argument) + ": " + number +
                               " does not fit " + std::string(type, size));
}

/// Begins a call back: what this thread gives from now on are its arguments.
__attribute__((visibility("default"))) void *__farside_callback_open(uint64_t id) {
  return new Callback(id);
}

/// Makes the call. Returns the bytes of the reply, which last until the call back is closed; or
/// null, with the reason.
__attribute__((visibility("default"))) const char *
__farside_callback_send(void *callback, uint64_t *size, const char **failure) {
  auto &call = *static_cast<Callback *>(callback);
  farside::Server &server = farside::Server::get();
  if (!server.serves()) {
    *failure = "a Python callable can be called only while a call or a cell runs, as nobody listens"
               " on the near side at other times";
    return nullptr;
  }
  std::string message;
  farside::encode(message, call.Id);
  farside::encode(message, call.Arguments.take());
  call.Reply.emplace(server.dispatch(reinterpret_cast<uint64_t>(&farside::callbackTag), message));
  if (call.Reply->isOutOfBandError() || call.Reply->bytes().empty()) {
    *failure = "the session did not answer a call of a Python callable";
    return nullptr;
  }
  *size = call.Reply->bytes().size();
  return call.Reply->bytes().data();
}

__attribute__((visibility("default"))) void __farside_callback_close(void *callback) {
  delete static_cast<Callback *>(callback);
}

/// The buffer that the session shares under a number, or null if it is not of that size.
__attribute__((visibility("default"))) void *__farside_shared(uint64_t key, uint64_t size) {
  std::lock_guard lock(farside::shared().Mutex);
  auto found = farside::shared().Buffers.find(key);
  if (found == farside::shared().Buffers.end() || found->second.second < size)
    return nullptr;
  return found->second.first;
}

} // extern "C"
