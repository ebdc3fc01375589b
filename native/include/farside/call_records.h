// Objects of members from calls: copies of what C++ gave, and dataclasses of Python's.
//
// A record says the names of its members, and becomes a class that has the same. What the members
// of a class are is seen from a structured binding of it, so that the code to read it depends on
// nothing but the class, and is the same in all calls.
#pragma once

#include <farside/call_containers.h>
#include <farside/call_members.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace farside {
namespace wire {

/// A class whose members are all of itself, or all of one base class, and public.
template <class T>
concept record = std::is_class_v<T> && std::is_aggregate_v<T> && !requires {
  std::tuple_size<T>::value;
} && requires { requires __builtin_structured_binding_size(T) > 0; };

/// Whether a type is a record or has one within it.
template <class T> constexpr bool holdsRecord = record<T>;
template <template <class...> class C, class... A>
constexpr bool holdsRecord<C<A...>> = record<C<A...>> || (holdsRecord<A> || ...);
template <class T, std::size_t N> constexpr bool holdsRecord<std::array<T, N>> = holdsRecord<T>;

/// Whether a type holds a record whatever its value is.
template <class T> constexpr bool needsRecord = record<T>;
template <template <class...> class C, class... A>
constexpr bool needsRecord<C<A...>> = record<C<A...>> || (needsRecord<A> || ...);
template <class... A> constexpr bool needsRecord<std::variant<A...>> = (needsRecord<A> && ...);
template <class T, std::size_t N> constexpr bool needsRecord<std::array<T, N>> = needsRecord<T>;

/// Something that has members with addresses, and is never made.
template <class T> union Sample {
  char None;
  T Value;
  constexpr Sample() : None() {}
  constexpr ~Sample() {}
};
template <class T> inline Sample<T> sample;

template <auto *Member> consteval std::string_view pointedName() {
  std::string_view text = __PRETTY_FUNCTION__; // ... [Member = &sample<P>.Value.x]
  text.remove_suffix(1);
  return text.substr(text.find_last_of(".:") + 1);
}

template <class... M> struct Types {};

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc++26-extensions"

template <class T> auto typesOfMembers() {
  auto &[... each] = sample<T>.Value;
  return Types<decltype(each)...>();
}

/// The names of a record's members; none where a member has no address: bit-fields, references.
template <class T> consteval auto namesOfMembers() {
  auto &[... each] = sample<T>.Value;
  if constexpr (requires { (pointedName<&each>(), ...); })
    return std::array<std::string_view, sizeof...(each)>{pointedName<&each>()...};
  else
    return std::array<std::string_view, 0>();
}

/// Calls `call(number, member)` for each of a record's members.
template <class T, class Call> void forMembers(T &object, Call call) {
  auto &[... each] = object;
  std::size_t number = 0;
  (call(number++, each), ...);
}

#pragma clang diagnostic pop

/// The members that Python gave, by name.
class GivenMembers {
public:
  explicit GivenMembers(Reader &in) {
    for (std::uint64_t left = in.count(); left != 0; --left) {
      std::string_view name = in.text();
      Each.push_back({name, skip(in)});
    }
  }

  /// Makes sure that a class has the members that were given, and no others.
  void check(const std::string_view *names, std::size_t count, std::string_view type) const {
    for (std::size_t i = 0; i < count; ++i)
      if (find(names[i]) == nullptr)
        refuse("%.*s has the member %.*s, which the dataclass does not have; add a field of this "
               "name",
               type, names[i]);
    for (const Member &each : Each) {
      std::size_t at = 0;
      while (at < count && names[at] != each.name)
        ++at;
      if (at == count)
        refuse("%.*s has no member %.*s; leave this field out, or give a value of another class",
               type, each.name);
    }
  }
  Reader at(std::string_view name) const { return find(name)->at; }

  [[noreturn]] static void refuse(const char *format, std::string_view type,
                                  std::string_view name) {
    __farside_refuse(format, static_cast<int>(type.size()), type.data(),
                     static_cast<int>(name.size()), name.data());
  }

private:
  struct Member {
    std::string_view name;
    Reader at;
  };
  const Member *find(std::string_view name) const {
    for (const Member &each : Each)
      if (each.name == name)
        return &each;
    return nullptr;
  }

  std::vector<Member> Each;
};

/// Reads a member; a misfit says which it is.
template <class Body>
decltype(auto) inMember(std::string_view type, std::string_view name, Body body) {
  try {
    return body();
  } catch (const ArgumentError &error) {
    __farside_refuse("member %.*s of %.*s: %s", static_cast<int>(name.size()), name.data(),
                     static_cast<int>(type.size()), type.data(), error.what());
  }
}

[[noreturn]] inline void unmakeable(std::string_view type, std::string_view member) {
  if (member.empty())
    __farside_refuse("%.*s cannot be made of its members; make it in the program, with session.new",
                     static_cast<int>(type.size()), type.data());
  GivenMembers::refuse("%.*s cannot be made of its members, as no value of Python's becomes %.*s; "
                       "make it in the program, with session.new",
                       type, member);
}

template <class M> M readMember(Reader in) {
  if (in.peek() == Tag::Pointer) {
    in.tag();
    auto address = in.raw<std::uint64_t>();
    if constexpr (std::is_pointer_v<M>)
      return reinterpret_cast<M>(address);
    misfit<M>(Tag::Pointer);
  }
  return Read<M>::from(in);
}

template <class M> M asMember();

/// Whether a member can be assigned what is read.
template <class M> consteval bool canFill() {
  using Element = std::remove_all_extents_t<M>;
  return !std::is_const_v<Element> && std::is_move_assignable_v<Element> && readable<Element>;
}

template <record T> struct Read<T> {
  static T from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::Record)
      misfit<T>(tag);
    constexpr std::string_view type = nameOf<T>();
    static constexpr auto names = namesOfMembers<T>();
    GivenMembers given(in);
    if constexpr (names.empty())
      unmakeable(type, "");
    else
      return made(type, names, given, decltype(typesOfMembers<T>())(),
                  std::make_index_sequence<names.size()>());
  }

private:
  template <class Names, class... M, std::size_t... I>
  static T made(std::string_view type, const Names &names, const GivenMembers &given, Types<M...>,
                std::index_sequence<I...>) {
    given.check(names.data(), names.size(), type);
    if constexpr ((readable<std::remove_cv_t<M>> && ...) &&
                  requires { T{asMember<std::remove_cv_t<M>>()...}; }) {
      return T{inMember(type, names[I], [at = given.at(names[I])] {
        return readMember<std::remove_cv_t<M>>(at);
      })...};
    } else if constexpr (std::is_default_constructible_v<T> && (canFill<M>() && ...)) {
      T object{};
      forMembers(object, [&]<class Member>(std::size_t number, Member &member) {
        inMember(type, names[number], [&, at = given.at(names[number])] {
          if constexpr (std::is_array_v<Member>)
            fill(member, at);
          else
            member = readMember<Member>(at);
        });
      });
      return object;
    } else {
      std::string_view missing;
      ((readable<std::remove_all_extents_t<std::remove_cv_t<M>>> ? void()
                                                                 : void(missing = nameOf<M>())),
       ...);
      unmakeable(type, missing);
    }
  }
};

} // namespace wire
} // namespace farside
