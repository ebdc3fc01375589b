// The far side of calls from Python: numbers out of bytes, and any result into bytes.
//
// For the code that farside generates for a call (farside/calls/stub.py). It is compiled for each
// function and kinds of arguments, so this header includes nothing; farside/call_values.h has the
// arguments that are more than numbers.
#pragma once

extern "C" {
void __farside_value(unsigned kind, const void *data, unsigned long size);
[[noreturn]] void __farside_misfit(const char *text);
[[noreturn]] void __farside_unfit(unsigned argument, const void *value, unsigned kind,
                                  const char *type, unsigned long size);
}

namespace farside::wire {

/// The bytes that are still to be read. What ends too early is a farside::ArgumentError.
class Input {
public:
  Input(const void *data, unsigned long size)
      : Next(static_cast<const char *>(data)), End(Next + size) {}

  const char *take(unsigned long size) {
    if (size > static_cast<unsigned long>(End - Next))
      __farside_misfit("the bytes of the arguments end too early");
    const char *at = Next;
    Next += size;
    return at;
  }
  template <class T> T raw() {
    T value;
    __builtin_memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

protected:
  const char *Next;
  const char *End;
};

/// A name that the compiler gives a type, as characters that end with no zero.
struct TypeName {
  const char *text;
  unsigned long size;

  constexpr bool contains(const char *part) const {
    for (unsigned long at = 0; at < size; ++at) {
      unsigned long same = 0;
      while (part[same] != 0 && at + same < size && text[at + same] == part[same])
        ++same;
      if (part[same] == 0)
        return true;
    }
    return false;
  }
};

template <class T> constexpr TypeName typeName() {
  const char *text = __PRETTY_FUNCTION__; // ... [T = int]
  unsigned long size = sizeof __PRETTY_FUNCTION__ - 2;
  while (!(text[0] == 'T' && text[1] == ' ' && text[2] == '=')) {
    ++text;
    --size;
  }
  return {text + 4, size - 4};
}

/// A number as another type of its kind, where that holds it.
template <class T, class From> T cut(unsigned argument, From value) {
  auto result = static_cast<T>(value);
  if constexpr (__is_floating_point(From)) {
    if (__builtin_isinf(result) && !__builtin_isinf(value)) {
      constexpr TypeName name = typeName<T>();
      double wide = value;
      __farside_unfit(argument, &wide, 2, name.text, name.size);
    }
  } else if (static_cast<From>(result) != value || (result < T{}) != (value < From{})) {
    constexpr TypeName name = typeName<T>();
    long long wide = static_cast<long long>(value);
    __farside_unfit(argument, &wide, __is_signed(From), name.text, name.size);
  }
  return result;
}

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

/// Gives an object as what it is and where it is; a value lives on from here.
template <class T> void giveAlive(T &&value) {
  using Bare = __remove_cvref(T);
  constexpr TypeName name = typeName<Bare>();
  const volatile void *at = nullptr;
  if constexpr (__is_lvalue_reference(T))
    at = __builtin_addressof(value);
  else
    at = new Bare(static_cast<T &&>(value));
  __farside_value(18, name.text, name.size);
  __farside_value(12, &at, sizeof at);
}

template <class T> void give(T &&value) {
  using Bare = __remove_cvref(T);
  if constexpr (__is_class(Bare) && isUnnamed<Bare>) {
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

/// As `Result`, for what is to live on.
struct Alive {
  bool &Given;
  template <class T> void operator,(T &&value) const {
    Given = true;
    giveAlive(static_cast<T &&>(value));
  }
};

} // namespace farside::wire
