// The platform as wrapper functions, with the signatures of ORC's ELF runtime
// (`__orc_rt_elfnix_*`).
#include "bootstrap.h"
#include "platform.h"
#include "server.h"
#include "tls.h"
#include "unwind.h"
#include "wrapper.h"

#include <cstdio>

namespace farside {

namespace {

/// The tag of the executor's call "look this name up in that JITDylib"; only its address matters.
char symbolLookupTag = 0;

/// What went wrong last, per thread, as for the loader's own dlerror.
thread_local std::string lastError;

/// Remembers a failure; true if there was none.
bool succeeded(const Error &error) {
  if (error)
    lastError = error.text();
  return !error;
}

Expected<uint64_t> lookUp(uint64_t header, const std::string &name) {
  std::string arguments;
  encode(arguments, header);
  encode(arguments, name);
  WrapperBuffer reply(
      Server::get().dispatch(reinterpret_cast<uint64_t>(&symbolLookupTag), arguments));
  if (reply.isOutOfBandError())
    return Error(reply.errorText());
  Reader in(reply.bytes());
  Expected<uint64_t> address(0);
  if (!decode(in, address))
    return Error("dlsym: the session cannot look symbols up");
  return address;
}

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
                                                (void)succeeded(deregisterEhFrame(ehFrame));
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

WrapperResult jitDlopen(const char *data, size_t size) {
  return serveWrapper<std::string_view, int32_t>(data, size,
                                                 [](std::string_view name, int32_t) -> uint64_t {
                                                   auto header = Platform::get().open(name);
                                                   return succeeded(header.error()) ? *header : 0;
                                                 });
}

WrapperResult jitDlupdate(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size, [](uint64_t header) -> int32_t {
    auto report = Platform::get().update(header);
    std::fflush(nullptr);
    if (!succeeded(report.error()))
      return -1;
    if ((*report).Exception) {
      lastError = "dlupdate: uncaught exception of type " + (*report).Exception->Type;
      return -1;
    }
    return 0;
  });
}

WrapperResult jitDlclose(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size, [](uint64_t header) -> int32_t {
    return succeeded(Platform::get().close(header)) ? 0 : -1;
  });
}

WrapperResult jitDlsym(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::string>(data, size,
                                             [](uint64_t header, const std::string &name) {
                                               auto address = lookUp(header, name);
                                               (void)succeeded(address.error());
                                               return address;
                                             });
}

WrapperResult jitDlerror(const char *data, size_t size) {
  return serveWrapper<>(data, size, [] { return std::exchange(lastError, {}); });
}

/// Runs a program: opens its JITDylib, calls the entry, closes. -1 if that cannot be done.
int64_t runProgramIn(const std::string &dylib, const std::string &entry,
                     std::vector<std::string> arguments) {
  auto header = Platform::get().open(dylib);
  if (!succeeded(header.error()))
    return -1;
  auto address = lookUp(*header, entry);
  if (!succeeded(address.error()) || *address == 0) {
    (void)Platform::get().close(*header);
    return -1;
  }
  std::vector<char *> pointers{};
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  auto main = reinterpret_cast<int (*)(int, char **)>(*address);
  int64_t status = main(static_cast<int>(arguments.size()), pointers.data());
  (void)succeeded(Platform::get().close(*header));
  std::fflush(nullptr);
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
      symbol("farside_platform_jit_dlopen", jitDlopen),
      symbol("farside_platform_jit_dlupdate", jitDlupdate),
      symbol("farside_platform_jit_dlclose", jitDlclose),
      symbol("farside_platform_jit_dlsym", jitDlsym),
      symbol("farside_platform_jit_dlerror", jitDlerror),
      symbol("farside_platform_run_program", runProgram),
      symbol("farside_platform_symbol_lookup_tag", &symbolLookupTag),
  };
  return symbols;
}

} // namespace farside
