// The bytes of a call from Python, and numbers out of them.
//
// It includes nothing: most calls have nothing but numbers.
#pragma once

extern "C" {
void __farside_value(unsigned kind, const void *data, unsigned long size);
[[noreturn]] void __farside_misfit(const char *text);
[[noreturn]] void __farside_refuse(const char *format, ...);
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
    constexpr bool isSigned = From(-1) < From(0);
    if constexpr (sizeof(From) > sizeof(long long)) {
      __farside_unfit(argument, &value, isSigned ? 4 : 3, name.text, name.size);
    } else {
      long long wide = static_cast<long long>(value);
      __farside_unfit(argument, &wide, isSigned, name.text, name.size);
    }
  }
  return result;
}

template <bool> struct If {};
template <> struct If<true> {
  using type = int;
};

/// A number that a template of the library hands on to what converts it: it becomes any type of
/// numbers that holds it. It cannot be copied, so that nothing can keep it for a value of its own.
template <class N> class Forwarded {
public:
  Forwarded(unsigned argument, N value) : Argument(argument), Value(value) {}
  Forwarded(const Forwarded &) = delete;
  Forwarded &operator=(const Forwarded &) = delete;

  template <class T, typename If<__is_arithmetic(T)>::type = 0> operator T() const {
    if constexpr (__is_floating_point(N) && !__is_floating_point(T)) {
      constexpr TypeName name = typeName<T>();
      __farside_refuse("argument %u: a float cannot become %.*s", Argument,
                       static_cast<int>(name.size), name.text);
    } else if constexpr (__is_floating_point(T) && !__is_floating_point(N)) {
      return static_cast<T>(Value);
    } else {
      return cut<T>(Argument, Value);
    }
  }

private:
  unsigned Argument;
  N Value;
};

/// Whether an object of such a class is given as itself, which lives on.
template <class T> inline constexpr bool livesOn = false;

/// Whether objects of such a class say themselves what they give.
template <class T> inline constexpr bool givesItself = false;

/// A type, as the name of what is called: `unsigned char(x)` is no expression.
template <class T> struct Itself {
  using type = T;
};

} // namespace farside::wire
