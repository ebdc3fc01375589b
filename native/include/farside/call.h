// The far side of calls from Python: any result into bytes.
//
// For the code that farside generates for a call (farside/calls/stub.py). It is compiled for each
// function and kinds of arguments, so this header includes next to nothing; farside/call_values.h
// has the arguments that are more than numbers. It needs what each session declares at its start,
// and so is in no PCH, which those are.
#pragma once

#include <farside/call_input.h>

namespace farside::wire {

// ---------------------------------------------------------------- results

template <class T> constexpr unsigned numberKind() {
  if (__is_same(T, bool))
    return 1;
  if (__is_floating_point(T))
    return sizeof(T) == 8 ? 10 : sizeof(T) == 4 ? 9 : 11;
  return __is_signed(T) ? 7 : 8;
}

#ifdef __cpp_char8_t
template <class T> constexpr bool isChar8 = __is_same(T, char8_t);
#else
template <class T> constexpr bool isChar8 = false;
#endif

template <class T>
constexpr bool isNumber = __is_arithmetic(T) && !__is_same(T, char) && !__is_same(T, wchar_t) &&
                          !isChar8<T> && !__is_same(T, char16_t) && !__is_same(T, char32_t);

/// Whether a type has no name by which other code could mention it.
template <class T>
constexpr bool isUnnamed = typeName<T>().contains("(lambda") || typeName<T>().contains("(unnamed");

/// Gives an object as what it is and where it is.
template <class T> void giveAt(const volatile T *object) {
  constexpr TypeName name = typeName<T>();
  __farside_value(18, name.text, name.size);
  __farside_value(12, &object, sizeof object);
}

/// The same; a value lives on from here.
template <class T> void giveAlive(T &&value) {
  using Bare = __remove_cvref(T);
  if constexpr (__is_lvalue_reference(T))
    giveAt<Bare>(__builtin_addressof(value));
  else
    giveAt<Bare>(new Bare(static_cast<T &&>(value)));
}

template <class T> void give(T &&value) {
  using Bare = __remove_cvref(T);
  if constexpr (givesItself<Bare>) {
    value.give();
  } else if constexpr (__is_class(Bare) && (isUnnamed<Bare> || livesOn<Bare>)) {
    giveAlive(static_cast<T &&>(value));
  } else if constexpr (isNumber<Bare>) {
    Bare copy = value;
    __farside_value(numberKind<Bare>(), &copy, sizeof copy);
  } else {
    bool hasForm = __farside::give(value);
    if constexpr (!__is_lvalue_reference(T) && __is_object(Bare) &&
                  __is_constructible(Bare, Bare &&)) {
      if (!hasForm) {
        const void *kept = new Bare(static_cast<T &&>(value));
        __farside_value(12, &kept, sizeof kept);
      }
    }
  }
}

/// `(Result(), f(x))` gives what f returns, also where that is nothing.
struct Result {
  bool &Given;
  template <class T> void operator,(T &&value) const {
    Given = true;
    wire::give(static_cast<T &&>(value));
  }
};

/// `Alive() + [&]() -> decltype(auto) { return f(x); }` keeps what f returns: a value is made where
/// it lives on, so that it need not be one that can be moved.
struct Alive {
  bool &Given;
  template <class Make> void operator+(const Make &make) const {
    using T = decltype(make());
    if constexpr (__is_void(T)) {
      make();
    } else {
      using Bare = __remove_cvref(T);
      Given = true;
      if constexpr (__is_lvalue_reference(T)) {
        giveAt<Bare>(__builtin_addressof(make()));
      } else {
        giveAt<Bare>(new Bare(make()));
      }
    }
  }
};

} // namespace farside::wire
