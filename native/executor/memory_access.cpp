// ORC's memory access service and its three ways of running a function.
#include "bootstrap.h"
#include "crash.h"
#include "user_code.h"
#include "wrapper.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace farside {

namespace {

// Plain loads and stores, as in LLVM's executor: a bad address is the caller's own end.

template <typename T> WrapperResult writeValues(const char *data, size_t size) {
  using Write = std::tuple<uint64_t, T>;
  return serveWrapper<std::vector<Write>>(data, size, [](const std::vector<Write> &writes) {
    for (auto [address, value] : writes)
      std::memcpy(reinterpret_cast<void *>(address), &value, sizeof value);
  });
}

WrapperResult writeBuffers(const char *data, size_t size) {
  using Write = std::tuple<uint64_t, std::string_view>;
  return serveWrapper<std::vector<Write>>(data, size, [](const std::vector<Write> &writes) {
    for (auto [address, bytes] : writes)
      std::memcpy(reinterpret_cast<void *>(address), bytes.data(), bytes.size());
  });
}

template <typename T> WrapperResult readValues(const char *data, size_t size) {
  return serveWrapper<std::vector<uint64_t>>(data, size, [](const std::vector<uint64_t> &from) {
    std::vector<T> values;
    values.reserve(from.size());
    for (uint64_t address : from) {
      T value{};
      std::memcpy(&value, reinterpret_cast<const void *>(address), sizeof value);
      values.push_back(value);
    }
    return values;
  });
}

WrapperResult readBuffers(const char *data, size_t size) {
  return serveWrapper<std::vector<AddrRange>>(data, size, [](const std::vector<AddrRange> &ranges) {
    std::vector<std::string> buffers; // Sequence<uint8> and String have the same form
    for (const AddrRange &range : ranges)
      buffers.emplace_back(reinterpret_cast<const char *>(range.Start),
                           range.End < range.Start ? 0 : range.size());
    return buffers;
  });
}

WrapperResult readStrings(const char *data, size_t size) {
  return serveWrapper<std::vector<uint64_t>>(data, size, [](const std::vector<uint64_t> &from) {
    std::vector<std::string> strings;
    for (uint64_t address : from)
      strings.emplace_back(reinterpret_cast<const char *>(address));
    return strings;
  });
}

/// Lets SIGINT do to a program what it does elsewhere, for the life of the object. A worker ignores
/// it otherwise.
class DefaultInterrupt {
public:
  DefaultInterrupt() { exchange(SIG_IGN, SIG_DFL); }
  ~DefaultInterrupt() { exchange(SIG_DFL, SIG_IGN); }
  DefaultInterrupt(const DefaultInterrupt &) = delete;
  DefaultInterrupt &operator=(const DefaultInterrupt &) = delete;

private:
  /// A handler of the program's own stays.
  static void exchange(sighandler_t before, sighandler_t after) {
    struct sigaction action{};
    if (::sigaction(SIGINT, nullptr, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
        action.sa_handler == before)
      ::signal(SIGINT, after);
  }
};

WrapperResult runAsMain(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<std::string>>(
      data, size, [](uint64_t function, std::vector<std::string> arguments) {
        std::vector<char *> pointers;
        for (std::string &argument : arguments)
          pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        // Programs have come to rely on the environment as third argument.
        auto main = reinterpret_cast<int (*)(int, char **, char **)>(function);
        DefaultInterrupt interrupt;
        noteWritten(true);
        int status =
            callUserCode(main, static_cast<int>(arguments.size()), pointers.data(), environ);
        std::fflush(nullptr);
        return static_cast<int64_t>(status);
      });
}

WrapperResult runAsVoidFunction(const char *data, size_t size) {
  // Called as a function that returns int, so that the result is what it leaves in EAX: LLVM's
  // clients rely on no more.
  return serveWrapper<uint64_t>(data, size, [](uint64_t function) -> int32_t {
    return callUserCode(reinterpret_cast<int32_t (*)()>(function));
  });
}

WrapperResult runAsIntFunction(const char *data, size_t size) {
  return serveWrapper<uint64_t, int32_t>(
      data, size, [](uint64_t function, int32_t argument) -> int32_t {
        return callUserCode(reinterpret_cast<int32_t (*)(int32_t)>(function), argument);
      });
}

} // namespace

std::span<const BootstrapSymbol> memoryAccessSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("__llvm_orc_bootstrap_mem_write_uint8s_wrapper", writeValues<uint8_t>),
      symbol("__llvm_orc_bootstrap_mem_write_uint16s_wrapper", writeValues<uint16_t>),
      symbol("__llvm_orc_bootstrap_mem_write_uint32s_wrapper", writeValues<uint32_t>),
      symbol("__llvm_orc_bootstrap_mem_write_uint64s_wrapper", writeValues<uint64_t>),
      symbol("__llvm_orc_bootstrap_mem_write_pointers_wrapper", writeValues<uint64_t>),
      symbol("__llvm_orc_bootstrap_mem_write_buffers_wrapper", writeBuffers),
      symbol("__llvm_orc_bootstrap_mem_read_uint8s_wrapper", readValues<uint8_t>),
      symbol("__llvm_orc_bootstrap_mem_read_uint16s_wrapper", readValues<uint16_t>),
      symbol("__llvm_orc_bootstrap_mem_read_uint32s_wrapper", readValues<uint32_t>),
      symbol("__llvm_orc_bootstrap_mem_read_uint64s_wrapper", readValues<uint64_t>),
      symbol("__llvm_orc_bootstrap_mem_read_pointers_wrapper", readValues<uint64_t>),
      symbol("__llvm_orc_bootstrap_mem_read_buffers_wrapper", readBuffers),
      symbol("__llvm_orc_bootstrap_mem_read_strings_wrapper", readStrings),
      symbol("__llvm_orc_bootstrap_run_as_main_wrapper", runAsMain),
      symbol("__llvm_orc_bootstrap_run_as_void_function_wrapper", runAsVoidFunction),
      symbol("__llvm_orc_bootstrap_run_as_int_function_wrapper", runAsIntFunction),
  };
  return symbols;
}

} // namespace farside
