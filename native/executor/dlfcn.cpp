#include "dlfcn.h"

#include "libc_table.h"
#include "platform.h"
#include "server.h"

#include <dlfcn.h>
#include <utility>

namespace farside {

namespace {

thread_local std::string lastError;
thread_local std::optional<ExceptionText> cause;         // of a failure not reported yet
thread_local std::optional<ExceptionText> lastException; // behind `lastError`
thread_local std::string returnedError;                  // what `dlerror`'s last result points to

uint64_t headerOf(void *handle) { return reinterpret_cast<uint64_t>(handle); }

} // namespace

std::string explainException(const ExceptionText &exception) {
  cause = exception;
  return exceptionSentence(exception);
}

std::optional<ExceptionText> takeLastException() { return std::exchange(lastException, {}); }

bool jitSucceeded(const Error &error) {
  if (error) {
    lastError = error.text();
    lastException = std::exchange(cause, {});
  }
  return !error;
}

std::string takeLastError() { return std::exchange(lastError, {}); }

char *symbolLookupTag() {
  static char tag = 0;
  return &tag;
}

Expected<uint64_t> lookUpIn(uint64_t header, const std::string &name) {
  if (auto known = Platform::get().isOpen(header); !known)
    return unknownHeader("dlsym", header);
  std::string arguments;
  encode(arguments, header);
  encode(arguments, name);
  WrapperBuffer reply(
      Server::get().dispatch(reinterpret_cast<uint64_t>(symbolLookupTag()), arguments));
  if (reply.isOutOfBandError())
    return Error(reply.errorText());
  Reader in(reply.bytes());
  Expected<uint64_t> address(0);
  if (!decode(in, address))
    return Error("dlsym: the session cannot look symbols up");
  return address;
}

Expected<uint64_t> lookUpEverywhere(uint64_t header, const std::string &name) {
  auto address = lookUpIn(header, name);
  if (!address || *address != 0)
    return address;
  if (name.empty())
    return Error("dlsym: a name is needed");
  uint64_t found = findOwnSymbol(name);
  if (found == 0)
    found = reinterpret_cast<uint64_t>(::dlsym(RTLD_DEFAULT, name.c_str()));
  if (found == 0)
    return Error("Symbols not found: [ " + name + " ]");
  return found;
}

extern "C" {

void *__orc_rt_jit_dlopen(const char *name, int) {
  cause.reset();
  auto header = Platform::get().open(name == nullptr ? "main" : name);
  return jitSucceeded(header.error()) ? reinterpret_cast<void *>(*header) : nullptr;
}

int __orc_rt_jit_dlupdate(void *handle) {
  cause.reset();
  auto open = Platform::get().isOpen(headerOf(handle));
  if (!jitSucceeded(open.error()))
    return -1;
  if (!*open) {
    (void)jitSucceeded(Error("dlupdate failed, JITDylib must be open."));
    return -1;
  }
  auto report = Platform::get().update(headerOf(handle));
  if (!jitSucceeded(report.error()))
    return -1;
  if ((*report).Exception) {
    (void)jitSucceeded(Error("dlupdate: " + explainException(*(*report).Exception)));
    return -1;
  }
  return 0;
}

int __orc_rt_jit_dlclose(void *handle) {
  cause.reset();
  return jitSucceeded(Platform::get().close(headerOf(handle))) ? 0 : -1;
}

void *__orc_rt_jit_dlsym(void *handle, const char *name) {
  auto address = lookUpEverywhere(headerOf(handle), name == nullptr ? "" : name);
  return jitSucceeded(address.error()) ? reinterpret_cast<void *>(*address) : nullptr;
}

const char *__orc_rt_jit_dlerror() {
  if (lastError.empty())
    return nullptr;
  returnedError = takeLastError();
  return returnedError.c_str();
}

} // extern "C"

} // namespace farside
