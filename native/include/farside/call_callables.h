// Python callables that a program was given, and what they return.
#pragma once

#include <farside/call_containers.h>
#include <farside/call_input.h>
#include <farside/python.h>

#include <cstdint>
#include <exception>
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

template <class T> void give(T &&value); // of farside/call.h

/// Whether a value needs nothing that it was made of.
template <class T> constexpr bool owns = !std::is_pointer_v<T>;
template <class C> constexpr bool owns<std::basic_string_view<C>> = false;
template <class T> constexpr bool owns<std::span<T>> = false;

/// What a Python callable returned: becomes what it is needed as. It cannot be copied, so that
/// nothing can keep it for a value of its own, as std::any would.
class Returned {
public:
  explicit Returned(std::string bytes) : Bytes(std::move(bytes)) {}
  Returned(const Returned &) = delete;
  Returned &operator=(const Returned &) = delete;
  template <class T>
    requires(readable<T> && owns<T>)
  operator T() const {
    return to<T>();
  }
  template <class T> T to() const {
    if constexpr (!std::is_void_v<T>)
      return read<T>([](Reader &in) { return Read<T>::from(in); });
  }
  /// Gives it to Python again, from a template to which it is a value like any other.
  void give() const {
    read<void>([](Reader &in) { asItself<void>(in, [](auto value) { wire::give(value); }); });
  }

private:
  template <class T, class Body> T read(Body body) const {
    Keeper kept;
    Reader in(Bytes.data(), Bytes.size(), nullptr, 0, &kept);
    try {
      return body(in);
    } catch (const ArgumentError &error) {
      __farside_refuse("what a Python callable returned: %s", error.what());
    }
  }

  std::string Bytes;
};

} // namespace wire

/// A Python callable, as a template is given one: it can be copied and kept, and called with any
/// arguments, by any thread while a call or a cell runs. What it returns becomes what it is needed
/// as.
class Callable {
public:
  explicit Callable(std::uint64_t id) : Id(id), Token(std::make_shared<char>()) {}

  /// Calls it, for a result of a certain type. What converts to anything would be asked for the
  /// value of a std::optional by the constructor template of that, and not for the whole.
  template <class Result, class... Arguments> Result as(Arguments &&...arguments) const {
    return (*this)(static_cast<Arguments &&>(arguments)...).template to<Result>();
  }

  /// Whether there are copies of it beside this one.
  bool isKept() const { return Token.use_count() > 1; }

  template <class... Arguments> wire::Returned operator()(Arguments &&...arguments) const {
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
    wire::Keeper kept;
    wire::Reader in(reply, size, nullptr, 0, &kept);
    if (in.raw<unsigned char>() == 0)
      return wire::Returned(std::string(in.take(size - 1), size - 1));
    std::string type(in.text());
    throw PythonError(std::move(type), std::string(in.text()));
  }

  friend std::string to_string(const Callable &) { return "a Python callable"; }

private:
  std::uint64_t Id;
  std::shared_ptr<char> Token;
};

namespace wire {

template <> inline constexpr bool livesOn<Callable> = true;
template <> inline constexpr bool givesItself<Returned> = true;

/// A Python callable where a std::function is asked for, whose type says what it is to return.
class Function {
public:
  explicit Function(Callable callable) : Called(std::move(callable)) {}
  // A template is to be given a Callable.
  Function(const Function &) = delete;
  Function &operator=(const Function &) = delete;

  bool isKept() const { return Called.isKept(); }

  template <class R, class... Arguments>
    requires(std::is_void_v<R> || std::is_reference_v<R> || (readable<R> && owns<R>))
  operator std::function<R(Arguments...)>() const {
    static_assert(!std::is_reference_v<R>,
                  "a Python callable returns no reference: nothing would hold what it refers to");
    return [callable = Called](Arguments... arguments) -> R {
      return callable.template as<R>(static_cast<Arguments &&>(arguments)...);
    };
  }

private:
  Callable Called;
};

/// Has what a call leaves in its arguments told where the call ends by an exception, and then
/// whether all of it was.
template <class Tell> class Told {
public:
  explicit Told(const Tell &tell) : Each(tell), Before(std::uncaught_exceptions()) {}
  Told(const Told &) = delete;
  Told &operator=(const Told &) = delete;
  ~Told() {
    if (std::uncaught_exceptions() == Before)
      return;
    bool whole = true;
    try {
      Each();
    } catch (...) {
      whole = false;
    }
    __farside_value(1, &whole, 1);
  }

private:
  const Tell &Each;
  int Before;
};

template <> struct Read<Callable> {
  static Callable from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::Callable)
      __farside_refuse("%s cannot be called", wordFor(tag));
    return Callable(in.raw<std::uint64_t>());
  }
};
template <class R, class... Arguments> struct Read<std::function<R(Arguments...)>> {
  static std::function<R(Arguments...)> from(Reader &in) {
    if (in.peek() == Tag::None) {
      in.tag();
      return nullptr;
    }
    return Function(Read<Callable>::from(in));
  }
};

} // namespace wire
} // namespace farside
