#include "dlfcn.h"

#include "libc_table.h"
#include "near_side.h"
#include "platform.h"

#include <dlfcn.h>
#include <utility>

namespace farside {

namespace {

uint64_t headerOf(void *handle) { return reinterpret_cast<uint64_t>(handle); }

} // namespace

std::string explainException(const ExceptionText &exception) {
  dlFailure().Cause = exception;
  return exceptionSentence(exception);
}

std::optional<ExceptionText> takeLastException() {
  return std::exchange(dlFailure().Exception, {});
}

bool jitSucceeded(const Error &error) {
  if (error) {
    DlFailure &failure = dlFailure();
    failure.Text = error.text();
    failure.Exception.swap(failure.Cause);
    failure.Cause.reset();
  }
  return !error;
}

std::string takeLastError() { return std::exchange(dlFailure().Text, {}); }

char farside_platform_symbol_lookup_tag;

Expected<uint64_t> lookUpIn(uint64_t header, const std::string &name) {
  if (auto known = Platform::get().isOpen(header); !known)
    return unknownHeader("dlsym", header);
  std::string arguments;
  encode(arguments, header);
  encode(arguments, name);
  WrapperBuffer reply(
      callNearSide(reinterpret_cast<uint64_t>(&farside_platform_symbol_lookup_tag), arguments));
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
  dlFailure().Cause.reset();
  auto header = Platform::get().open(name == nullptr ? "main" : name);
  return jitSucceeded(header.error()) ? reinterpret_cast<void *>(*header) : nullptr;
}

int __orc_rt_jit_dlupdate(void *handle) {
  dlFailure().Cause.reset();
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
  dlFailure().Cause.reset();
  return jitSucceeded(Platform::get().close(headerOf(handle))) ? 0 : -1;
}

void *__orc_rt_jit_dlsym(void *handle, const char *name) {
  auto address = lookUpEverywhere(headerOf(handle), name == nullptr ? "" : name);
  return jitSucceeded(address.error()) ? reinterpret_cast<void *>(*address) : nullptr;
}

const char *__orc_rt_jit_dlerror() {
  DlFailure &failure = dlFailure();
  if (failure.Text.empty())
    return nullptr;
  failure.Returned = takeLastError();
  return failure.Returned.c_str();
}

} // extern "C"

} // namespace farside
