// The platform as wrapper functions, with the signatures of ORC's ELF runtime
// (`__orc_rt_elfnix_*`).
#include "bootstrap.h"
#include "dlfcn.h"
#include "platform.h"
#include "tls.h"
#include "unwind.h"
#include "user_code.h"
#include "wrapper.h"

namespace farside {

namespace {

WrapperResult bootstrap(const char *data, size_t size) {
  // The platform is part of the process: it needs no memory and no code of the client's.
  return serveWrapper<uint64_t>(data, size, [](uint64_t) { return Error(); });
}

WrapperResult shutdown(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] { return Error(); });
}

WrapperResult registerJitDylib(const char *data, size_t size) {
  return serveWrapper<std::string_view, uint64_t>(
      data, size, [](std::string_view name, uint64_t header) {
        return Platform::get().registerJitDylib(name, header);
      });
}

WrapperResult deregisterJitDylib(const char *data, size_t size) {
  return serveWrapper<uint64_t>(
      data, size, [](uint64_t header) { return Platform::get().deregisterJitDylib(header); });
}

WrapperResult registerObjectSections(const char *data, size_t size) {
  return serveWrapper<AddrRange, AddrRange>(data, size,
                                            [](AddrRange ehFrame, AddrRange threadData) -> Error {
                                              bool hasFrames = ehFrame.Start != ehFrame.End;
                                              if (hasFrames)
                                                if (Error error = registerEhFrame(ehFrame))
                                                  return error;
                                              Error error = registerThreadData(threadData);
                                              if (error && hasFrames)
                                                (void)jitSucceeded(deregisterEhFrame(ehFrame));
                                              return error;
                                            });
}

WrapperResult deregisterObjectSections(const char *data, size_t size) {
  return serveWrapper<AddrRange, AddrRange>(
      data, size, [](AddrRange ehFrame, AddrRange threadData) -> Error {
        Error frames = ehFrame.Start == ehFrame.End ? Error() : deregisterEhFrame(ehFrame);
        Error data_ = deregisterThreadData(threadData);
        return frames ? frames : data_;
      });
}

WrapperResult registerInitSections(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<AddrRange>>(
      data, size, [](uint64_t header, const std::vector<AddrRange> &sections) {
        return Platform::get().registerInitSections(header, sections);
      });
}

WrapperResult deregisterInitSections(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<AddrRange>>(
      data, size, [](uint64_t header, const std::vector<AddrRange> &sections) {
        return Platform::get().deregisterInitSections(header, sections);
      });
}

WrapperResult registerFiniSections(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<AddrRange>>(
      data, size, [](uint64_t header, const std::vector<AddrRange> &sections) {
        return Platform::get().registerFiniSections(header, sections);
      });
}

WrapperResult deregisterFiniSections(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<AddrRange>>(
      data, size, [](uint64_t header, const std::vector<AddrRange> &sections) {
        return Platform::get().deregisterFiniSections(header, sections);
      });
}

WrapperResult registerMemory(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<AddrRange>>(
      data, size, [](uint64_t header, const std::vector<AddrRange> &ranges) {
        return Platform::get().registerMemory(header, ranges);
      });
}

WrapperResult deregisterMemory(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<AddrRange>>(
      data, size, [](uint64_t header, const std::vector<AddrRange> &ranges) {
        return Platform::get().deregisterMemory(header, ranges);
      });
}

WrapperResult setLinkOrder(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<uint64_t>>(
      data, size, [](uint64_t header, const std::vector<uint64_t> &order) {
        return Platform::get().setLinkOrder(header, order);
      });
}

WrapperResult holdJitDylib(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size,
                                [](uint64_t header) { return Platform::get().hold(header); });
}

WrapperResult jitDlopen(const char *data, size_t size) {
  return serveWrapper<std::string, int32_t>(
      data, size, [](const std::string &name, int32_t mode) -> uint64_t {
        void *handle = __orc_rt_jit_dlopen(name.c_str(), mode);
        flushOutput();
        return reinterpret_cast<uint64_t>(handle);
      });
}

WrapperResult jitDlupdate(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size, [](uint64_t header) -> int32_t {
    int32_t result = __orc_rt_jit_dlupdate(reinterpret_cast<void *>(header));
    flushOutput();
    return result;
  });
}

WrapperResult jitDlclose(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size, [](uint64_t header) -> int32_t {
    int32_t result = __orc_rt_jit_dlclose(reinterpret_cast<void *>(header));
    flushOutput();
    return result;
  });
}

WrapperResult jitDlsym(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::string>(data, size,
                                             [](uint64_t header, const std::string &name) {
                                               auto address = lookUpEverywhere(header, name);
                                               (void)jitSucceeded(address.error());
                                               return address;
                                             });
}

WrapperResult jitDlerror(const char *data, size_t size) {
  return serveWrapper<>(data, size, takeLastError);
}

/// What was thrown, if that is behind the last failure: (type, what).
WrapperResult jitException(const char *data, size_t size) {
  using Thrown = std::tuple<std::string, std::optional<std::string>>;
  return serveWrapper<>(data, size, [] {
    std::optional<Thrown> thrown;
    if (auto exception = takeLastException())
      thrown = Thrown{std::move(exception->Type), std::move(exception->What)};
    return thrown;
  });
}

/// Runs a program: opens its JITDylib, calls the entry, closes. -1 if that cannot be done.
int64_t runProgramIn(const std::string &dylib, const std::string &entry,
                     std::vector<std::string> arguments) {
  auto header = Platform::get().open(dylib);
  if (!jitSucceeded(header.error()))
    return -1;
  auto address = lookUpIn(*header, entry);
  if (address && *address == 0)
    address = Error("JITDylib " + dylib + " does not define " + entry);
  if (!jitSucceeded(address.error())) {
    (void)Platform::get().close(*header);
    return -1;
  }
  std::vector<char *> pointers{};
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  auto main = reinterpret_cast<int (*)(int, char **)>(*address);
  int64_t status = callUserCode(main, static_cast<int>(arguments.size()), pointers.data());
  (void)jitSucceeded(Platform::get().close(*header));
  flushOutput();
  return status;
}

WrapperResult runProgram(const char *data, size_t size) {
  return serveWrapper<std::string, std::string, std::vector<std::string>>(data, size, runProgramIn);
}

} // namespace

std::span<const BootstrapSymbol> platformSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("farside_platform_bootstrap", bootstrap),
      symbol("farside_platform_shutdown", shutdown),
      symbol("farside_platform_register_jitdylib", registerJitDylib),
      symbol("farside_platform_deregister_jitdylib", deregisterJitDylib),
      symbol("farside_platform_register_object_sections", registerObjectSections),
      symbol("farside_platform_deregister_object_sections", deregisterObjectSections),
      symbol("farside_platform_register_init_sections", registerInitSections),
      symbol("farside_platform_deregister_init_sections", deregisterInitSections),
      symbol("farside_platform_register_fini_sections", registerFiniSections),
      symbol("farside_platform_deregister_fini_sections", deregisterFiniSections),
      symbol("farside_platform_register_memory", registerMemory),
      symbol("farside_platform_deregister_memory", deregisterMemory),
      symbol("farside_platform_set_link_order", setLinkOrder),
      symbol("farside_platform_hold_jitdylib", holdJitDylib),
      symbol("farside_platform_jit_dlopen", jitDlopen),
      symbol("farside_platform_jit_dlupdate", jitDlupdate),
      symbol("farside_platform_jit_dlclose", jitDlclose),
      symbol("farside_platform_jit_dlsym", jitDlsym),
      symbol("farside_platform_jit_dlerror", jitDlerror),
      symbol("farside_platform_jit_exception", jitException),
      symbol("farside_platform_run_program", runProgram),
      symbol("farside_platform_symbol_lookup_tag", &farside_platform_symbol_lookup_tag),
  };
  return symbols;
}

} // namespace farside
