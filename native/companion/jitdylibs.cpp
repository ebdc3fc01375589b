// The calls of the near side that are about JITDylibs: farside's platform, on the cells' thread
// where they run code of the program. ORC's runtime keeps the unwind tables; its own JITDylibs and
// thread-local storage are not used. It does not close what a JITDylib depends on, never runs what
// `atexit` registered, cannot take back the exit handlers of one commit, and keeps thread-local
// variables of what was closed.
#include "bootstrap.h"
#include "cell_thread.h"
#include "dlfcn.h"
#include "orc_runtime.h"
#include "platform.h"
#include "tls.h"
#include "wrapper.h"

namespace farside {

namespace {

using Sections = std::vector<AddrRange>;

template <typename Register>
WrapperResult serveSections(const char *data, size_t size, Register member) {
  return serveWrapper<uint64_t, Sections>(data, size,
                                          [&](uint64_t header, const Sections &sections) {
                                            return (Platform::get().*member)(header, sections);
                                          });
}

/// Calls one of the functions for JITDylibs, and has what it printed written out.
template <typename... Arguments, typename Function>
WrapperResult serveDl(const char *data, size_t size, Function &&function) {
  return serveOnCellThread<Arguments...>(data, size, [&](const auto &...arguments) {
    auto result = function(arguments...);
    flushOutput();
    return result;
  });
}

/// Has ORC's runtime do something with an unwind table; an empty range is none.
Error tellRuntime(WrapperFunction function, AddrRange frames) {
  if (frames.Start == frames.End)
    return {};
  std::string arguments;
  for (uint64_t word : {frames.Start, frames.End, uint64_t{0}, uint64_t{0}})
    encode(arguments, word);
  WrapperBuffer result(function(arguments.data(), arguments.size()));
  if (result.isOutOfBandError())
    return Error(result.errorText());
  Reader in(result.bytes());
  bool failed = false;
  std::string text;
  if (!decode(in, failed) || (failed && !decode(in, text)))
    return Error("the ORC runtime gave a malformed answer");
  return failed ? Error(std::move(text)) : Error();
}

void *pointer(uint64_t address) { return reinterpret_cast<void *>(address); }

} // namespace

extern "C" {

WrapperResult farside_platform_register_jitdylib(const char *data, size_t size) {
  return serveWrapper<std::string_view, uint64_t>(
      data, size, [](std::string_view name, uint64_t header) {
        return Platform::get().registerJitDylib(name, header);
      });
}

WrapperResult farside_platform_deregister_jitdylib(const char *data, size_t size) {
  return serveWrapper<uint64_t>(
      data, size, [](uint64_t header) { return Platform::get().deregisterJitDylib(header); });
}

WrapperResult farside_platform_hold_jitdylib(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size,
                                [](uint64_t header) { return Platform::get().hold(header); });
}

WrapperResult farside_platform_set_link_order(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<uint64_t>>(
      data, size, [](uint64_t header, const std::vector<uint64_t> &order) {
        return Platform::get().setLinkOrder(header, order);
      });
}

WrapperResult farside_platform_register_object_sections(const char *data, size_t size) {
  return serveWrapper<AddrRange, AddrRange>(
      data, size, [](AddrRange frames, AddrRange threadData) -> Error {
        if (Error error = registerThreadData(threadData))
          return error;
        Error error = tellRuntime(__orc_rt_elfnix_register_object_sections, frames);
        if (error)
          (void)jitSucceeded(deregisterThreadData(threadData));
        return error;
      });
}

WrapperResult farside_platform_deregister_object_sections(const char *data, size_t size) {
  return serveWrapper<AddrRange, AddrRange>(
      data, size, [](AddrRange frames, AddrRange threadData) -> Error {
        Error first = tellRuntime(__orc_rt_elfnix_deregister_object_sections, frames);
        Error second = deregisterThreadData(threadData);
        return first ? first : second;
      });
}

WrapperResult farside_platform_register_init_sections(const char *data, size_t size) {
  return serveSections(data, size, &Platform::registerInitSections);
}

WrapperResult farside_platform_deregister_init_sections(const char *data, size_t size) {
  return serveSections(data, size, &Platform::deregisterInitSections);
}

WrapperResult farside_platform_register_fini_sections(const char *data, size_t size) {
  return serveSections(data, size, &Platform::registerFiniSections);
}

WrapperResult farside_platform_deregister_fini_sections(const char *data, size_t size) {
  return serveSections(data, size, &Platform::deregisterFiniSections);
}

WrapperResult farside_platform_register_memory(const char *data, size_t size) {
  return serveSections(data, size, &Platform::registerMemory);
}

WrapperResult farside_platform_deregister_memory(const char *data, size_t size) {
  return serveSections(data, size, &Platform::deregisterMemory);
}

WrapperResult farside_platform_jit_dlopen(const char *data, size_t size) {
  return serveDl<std::string, int32_t>(data, size, [](const std::string &name, int32_t mode) {
    return reinterpret_cast<uint64_t>(__orc_rt_jit_dlopen(name.c_str(), mode));
  });
}

WrapperResult farside_platform_jit_dlupdate(const char *data, size_t size) {
  return serveDl<uint64_t>(data, size, [](uint64_t header) -> int32_t {
    return __orc_rt_jit_dlupdate(pointer(header));
  });
}

WrapperResult farside_platform_jit_dlclose(const char *data, size_t size) {
  return serveDl<uint64_t>(
      data, size, [](uint64_t header) -> int32_t { return __orc_rt_jit_dlclose(pointer(header)); });
}

WrapperResult farside_platform_jit_dlsym(const char *data, size_t size) {
  return serveOnCellThread<uint64_t, std::string>(data, size,
                                                  [](uint64_t header, const std::string &name) {
                                                    auto address = lookUpEverywhere(header, name);
                                                    (void)jitSucceeded(address.error());
                                                    return address;
                                                  });
}

WrapperResult farside_platform_jit_dlerror(const char *data, size_t size) {
  return serveOnCellThread<>(data, size, takeLastError);
}

WrapperResult farside_platform_jit_exception(const char *data, size_t size) {
  using Thrown = std::tuple<std::string, std::optional<std::string>>;
  return serveOnCellThread<>(data, size, [] {
    std::optional<Thrown> thrown;
    if (auto exception = takeLastException())
      thrown = Thrown{std::move(exception->Type), std::move(exception->What)};
    return thrown;
  });
}

} // extern "C"

} // namespace farside
