#include "callbacks.h"

#include "near_side.h"
#include "values.h"
#include "wrapper.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace farside {

char farside_callback_tag;

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

__extension__ using Wide = unsigned __int128;

/// An integer of so many bits, in two's complement if it is negative.
std::string decimal(Wide bits, bool negative, unsigned count) {
  if (negative)
    bits = -bits << (128 - count) >> (128 - count);
  std::string digits;
  do
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(bits % 10)));
  while ((bits /= 10) != 0);
  return negative ? "-" + digits : digits;
}

} // namespace

} // namespace farside

using farside::Callback;

extern "C" {

/// An argument does not fit what it is to become; see farside/call.h.
[[noreturn]] __attribute__((visibility("default"))) void __farside_misfit(const char *text) {
  throw farside::ArgumentError(text);
}

/// The same for a text that is made as `printf` makes it.
[[noreturn]] __attribute__((visibility("default"))) void __farside_refuse(const char *format, ...) {
  char *text = nullptr;
  va_list arguments;
  va_start(arguments, format);
  int size = ::vasprintf(&text, format, arguments);
  va_end(arguments);
  std::unique_ptr<char, decltype(&std::free)> made(size < 0 ? nullptr : text, &std::free);
  throw farside::ArgumentError(made ? made.get() : format);
}

/// The same for a number that argument `argument` is, and the name of the type. The value is a
/// uint64_t, an int64_t, a double, an unsigned __int128 or an __int128, by `kind`.
[[noreturn]] __attribute__((visibility("default"))) void
__farside_unfit(unsigned argument, const void *value, unsigned kind, const char *type,
                uint64_t size) {
  std::string number;
  if (kind == 2) {
    char text[32] = "";
    double real = 0;
    std::memcpy(&real, value, sizeof real);
    std::snprintf(text, sizeof text, "%g", real);
    number = text;
  } else {
    farside::Wide bits = 0; // little-endian
    unsigned count = kind > 2 ? 128 : 64;
    std::memcpy(&bits, value, count / 8);
    bool negative = (kind == 1 || kind == 4) && (bits >> (count - 1) & 1) != 0;
    number = farside::decimal(bits, negative, count);
  }
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
  if (!farside::nearSideListens()) {
    *failure = "a Python callable can be called only while a call or a cell runs, as nobody listens"
               " on the near side at other times";
    return nullptr;
  }
  std::string message;
  farside::encode(message, call.Id);
  farside::encode(message, call.Arguments.take());
  call.Reply.emplace(
      farside::callNearSide(reinterpret_cast<uint64_t>(&farside::farside_callback_tag), message));
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

} // extern "C"
