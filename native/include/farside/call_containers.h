// Sequences, sets, maps and spans of calls from Python.
#pragma once

#include <farside/call_arrays.h>
#include <farside/call_text.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace farside {
namespace wire {

template <class C>
concept sequence = requires(C &c, typename C::value_type v) {
  c.push_back(std::move(v));
} && !std::is_convertible_v<C, std::string_view> && !requires { typename C::traits_type; };
template <class C>
concept mapping = requires(C &c, typename C::key_type k, typename C::mapped_type v) {
  c.emplace(std::move(k), std::move(v));
};
template <class C>
concept setlike =
    requires(C &c, typename C::key_type k) { c.emplace(std::move(k)); } && !mapping<C>;

/// Calls `each(reader)` for the elements of a sequence, or `whole(view)` for an array.
template <class T, class Each, class Whole> void forElements(Reader &in, Each each, Whole whole) {
  Tag tag = in.tag();
  if (tag == Tag::Array)
    return whole(ArrayView::from(in));
  if (tag == Tag::Bytes) {
    std::string_view bytes = in.text();
    ArrayView view;
    view.kind = 'u';
    view.element = 1;
    view.extents.Count = 1;
    view.extents.Each[0] = bytes.size();
    view.count = bytes.size();
    view.data = const_cast<char *>(bytes.data());
    return whole(view);
  }
  if (tag != Tag::Sequence)
    misfit<T>(tag);
  for (std::uint64_t left = in.count(); left != 0; --left)
    each(in);
}

template <class C>
  requires(sequence<C> && readable<typename C::value_type>)
struct Read<C> {
  using Element = typename C::value_type;
  static C from(Reader &in) {
    C result;
    forElements<C>(
        in, [&](Reader &more) { result.push_back(Read<Element>::from(more)); },
        [&](const ArrayView &view) { result = ofArray(view, view.data, 0); });
    return result;
  }
  static C ofArray(const ArrayView &view, const char *, std::size_t begin,
                   std::size_t dimension = 0) {
    C result;
    std::size_t stride = 1;
    for (std::size_t i = dimension + 1; i < view.extents.size(); ++i)
      stride *= view.extents[i];
    bool last = dimension + 1 == view.extents.size();
    if constexpr (requires { Read<Element>::ofArray(view, view.data, begin, dimension); }) {
      if (last || view.extents.empty())
        misfit<C>(Tag::Array);
      for (std::size_t i = 0; i < view.extents[dimension]; ++i)
        result.push_back(
            Read<Element>::ofArray(view, view.data, begin + i * stride, dimension + 1));
    } else {
      if (!last)
        misfit<C>(Tag::Array);
      std::size_t count = view.extents[dimension];
      if constexpr (std::is_trivially_copyable_v<Element>) {
        if (view.holds<Element>()) {
          const auto *first = reinterpret_cast<const Element *>(view.data) + begin;
          return C(first, first + count);
        }
      }
      for (std::size_t i = 0; i < count; ++i)
        result.push_back(view.at<Element>(begin + i));
    }
    return result;
  }
};

template <class C>
  requires(setlike<C> && readable<typename C::key_type>)
struct Read<C> {
  static C from(Reader &in) {
    C result;
    using Key = typename C::key_type;
    forElements<C>(
        in, [&](Reader &more) { result.emplace(Read<Key>::from(more)); },
        [&](const ArrayView &view) {
          for (std::size_t i = 0; i < view.count; ++i)
            result.emplace(view.at<Key>(i));
        });
    return result;
  }
};

template <class C>
  requires(mapping<C> && readable<typename C::key_type> && readable<typename C::mapped_type>)
struct Read<C> {
  static C from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::Map)
      misfit<C>(tag);
    C result;
    for (std::uint64_t left = in.count(); left != 0; --left) {
      auto key = Read<typename C::key_type>::from(in);
      result.emplace(std::move(key), Read<typename C::mapped_type>::from(in));
    }
    return result;
  }
};

template <class T> [[noreturn]] void countMisfits(unsigned long count) {
  constexpr std::string_view type = nameOf<T>();
  __farside_refuse("%lu values cannot become %.*s", count, static_cast<int>(type.size()),
                   type.data());
}

template <class T> void expectCount(Reader &in, std::size_t count) {
  if (Tag tag = in.tag(); tag != Tag::Sequence)
    misfit<T>(tag);
  if (std::uint64_t have = in.count(); have != count)
    countMisfits<T>(have);
}

template <class T>
  requires requires { std::tuple_size<T>::value; }
struct Read<T> {
  static T from(Reader &in) {
    constexpr std::size_t size = std::tuple_size_v<T>;
    if constexpr (requires(T &array) { array[0]; }) { // std::array
      T result{};
      std::size_t filled = 0;
      forElements<T>(
          in,
          [&](Reader &more) {
            auto element = Read<typename T::value_type>::from(more);
            if (filled < size)
              result[filled] = std::move(element);
            ++filled;
          },
          [&](const ArrayView &view) {
            for (; filled < view.count && filled < size; ++filled)
              result[filled] = view.at<typename T::value_type>(filled);
            filled = view.count;
          });
      if (filled != size)
        countMisfits<T>(filled);
      return result;
    } else {
      expectCount<T>(in, size);
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return T{Read<std::remove_cv_t<std::tuple_element_t<I, T>>>::from(in)...};
      }(std::make_index_sequence<size>());
    }
  }
};

template <class T> struct Read<std::span<T>> {
  static std::span<T> from(Reader &in) {
    using Bare = std::remove_cv_t<T>;
    if (in.peek() == Tag::Array) {
      Reader ahead = in;
      ahead.tag();
      ArrayView view = ArrayView::from(ahead);
      if (view.extents.size() == 1 && view.holds<Bare>()) {
        in = ahead;
        return {reinterpret_cast<T *>(view.data), view.count};
      }
    }
    static_assert(std::is_const_v<T>, "a span of what may be changed needs farside.Ref(array)");
    auto *kept = in.keeper().keep(Read<std::vector<Bare>>::from(in));
    return {kept->data(), kept->size()};
  }
};

/// Refuses text that would seem to end earlier where a zero ends it.
inline void checkEnd(Tag tag, std::string_view text) {
  if (auto at = text.find('\0'); at != text.npos)
    __farside_refuse("%s with a zero, at byte %zu, would end there as a pointer to characters",
                     wordFor(tag), at);
}

template <class T> T *Read<T *>::from(Reader &in) {
  using Bare = std::remove_cv_t<T>;
  Tag tag = in.peek();
  if (tag == Tag::None) {
    in.tag();
    return nullptr;
  }
  if constexpr (std::is_const_v<T> &&
                (std::is_void_v<T> ||
                 sizeof(std::conditional_t<std::is_void_v<T>, char, Bare>) == 1)) {
    if (tag == Tag::String || tag == Tag::Bytes) {
      std::string_view text = readText(in);
      if constexpr (std::is_same_v<Bare, char> || std::is_same_v<Bare, char8_t>)
        checkEnd(tag, text);
      return reinterpret_cast<T *>(text.data());
    }
  }
  if constexpr (std::is_const_v<T> && isWide<Bare> && !std::is_same_v<Bare, char8_t>)
    if (tag == Tag::String) {
      Reader ahead = in;
      ahead.tag();
      checkEnd(tag, ahead.text());
      return in.keeper().keep(Read<std::basic_string<Bare>>::from(in))->c_str();
    }
  if constexpr (std::is_const_v<T> && !std::is_void_v<T>) {
    return Read<std::span<T>>::from(in).data();
  } else {
    in.tag();
    misfit<T *>(tag);
  }
}

} // namespace wire
} // namespace farside
