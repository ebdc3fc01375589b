// Python callables that a program was given, and what they return.
#pragma once

#include <farside/call_containers.h>
#include <farside/python.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

extern "C" {
void *__farside_callback_open(unsigned long id);
const char *__farside_callback_send(void *callback, unsigned long *size, const char **failure);
void __farside_callback_close(void *callback);
}

namespace farside {
namespace wire {

/// Whether a value needs nothing that it was made of.
template <class T> constexpr bool owns = !std::is_pointer_v<T>;
template <class C> constexpr bool owns<std::basic_string_view<C>> = false;
template <class T> constexpr bool owns<std::span<T>> = false;

/// What a Python callable returned: becomes what it is needed as.
class Returned {
public:
  explicit Returned(std::string bytes) : Bytes(std::move(bytes)) {}
  template <class T>
    requires(readable<T> && owns<T>)
  operator T() const {
    Keeper kept;
    Reader in(Bytes.data(), Bytes.size(), nullptr, 0, &kept);
    try {
      return Read<T>::from(in);
    } catch (const ArgumentError &error) {
      throw ArgumentError(std::string("what a Python callable returned: ") + error.what());
    }
  }

private:
  std::string Bytes;
};

/// A Python callable. It can be called by any thread while a call or a cell runs.
class Callable {
public:
  explicit Callable(std::uint64_t id) : Id(id), Token(std::make_shared<char>()) {}

  /// Whether there are copies of it beside this one.
  bool isKept() const { return Token.use_count() > 1; }

  template <class... Arguments> Returned operator()(Arguments &&...arguments) const {
    struct Open {
      void *Handle;
      ~Open() { __farside_callback_close(Handle); }
    } open{__farside_callback_open(Id)};
    (wire::give(arguments), ...);
    unsigned long size = 0;
    const char *failure = nullptr;
    const char *reply = __farside_callback_send(open.Handle, &size, &failure);
    if (reply == nullptr)
      throw PythonError("RuntimeError", failure);
    Keeper kept;
    Reader in(reply, size, nullptr, 0, &kept);
    if (in.raw<unsigned char>() == 0)
      return Returned(std::string(in.take(size - 1), size - 1));
    std::string type(in.text());
    throw PythonError(std::move(type), std::string(in.text()));
  }

private:
  std::uint64_t Id;
  std::shared_ptr<char> Token;
};

template <> struct Read<Callable> {
  static Callable from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::Callable)
      misfit<Callable>(tag);
    return Callable(in.raw<std::uint64_t>());
  }
};
template <class R, class... Arguments> struct Read<std::function<R(Arguments...)>> {
  static std::function<R(Arguments...)> from(Reader &in) {
    if (in.peek() == Tag::None) {
      in.tag();
      return nullptr;
    }
    return Read<Callable>::from(in);
  }
};

} // namespace wire
} // namespace farside
