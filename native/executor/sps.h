// LLVM ORC's Simple Packed Serialization: little-endian, no padding, no type tags.
//
// One overload set decodes, another encodes. A C++ type stands for one SPS type:
//
//   uint8_t, uint32_t, int64_t, ...   integers       bool                       1 byte
//   uint64_t                          ExecutorAddr   AddrRange                  (start, end)
//   std::string_view, std::string     String, Sequence<char>
//   std::vector<T>                    Sequence<T>    std::tuple<T...>           Tuple<T...>
//   std::optional<T>                  Optional<T>    Error, Expected<T>         the same
//
// Decoding never trusts a count: every length is checked against the bytes that are there before
// anything is allocated for it. Decoded string_views point into the message.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace farside {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "SPS integers are copied as they lie");

struct AddrRange {
  uint64_t Start = 0;
  uint64_t End = 0;
  uint64_t size() const { return End - Start; }
  bool operator==(const AddrRange &) const = default;
};

/// SPSError: nothing, or the text of what went wrong.
class [[nodiscard]] Error {
public:
  Error() = default;
  explicit Error(std::string text) : Failed(true), Text(std::move(text)) {}
  explicit operator bool() const { return Failed; }
  const std::string &text() const { return Text; }

private:
  bool Failed = false;
  std::string Text;
};

/// SPSExpected: a value, or the text of what went wrong.
template <typename T> class [[nodiscard]] Expected {
public:
  Expected(T value) : Content(std::in_place_index<0>, std::move(value)) {}
  Expected(Error error) : Content(std::in_place_index<1>, error.text()) {}
  explicit operator bool() const { return Content.index() == 0; }
  T &operator*() { return *std::get_if<0>(&Content); }
  const T &operator*() const { return *std::get_if<0>(&Content); }
  const std::string &text() const { return *std::get_if<1>(&Content); }
  Error error() const { return *this ? Error() : Error(text()); }

private:
  std::variant<T, std::string> Content;
};

/// The bytes of a message that are still to be decoded.
struct Reader {
  const char *Next = nullptr;
  const char *End = nullptr;
  explicit Reader(std::string_view bytes) : Next(bytes.data()), End(bytes.data() + bytes.size()) {}
  size_t left() const { return static_cast<size_t>(End - Next); }
};

template <std::integral T> bool decode(Reader &in, T &value) {
  if (in.left() < sizeof(T))
    return false;
  if constexpr (std::same_as<T, bool>)
    value = *in.Next != 0;
  else
    std::memcpy(&value, in.Next, sizeof(T));
  in.Next += sizeof(T);
  return true;
}

inline bool decode(Reader &in, AddrRange &range) {
  return decode(in, range.Start) && decode(in, range.End);
}

inline bool decode(Reader &in, std::string_view &bytes) {
  uint64_t size = 0;
  if (!decode(in, size) || size > in.left())
    return false;
  bytes = {in.Next, size};
  in.Next += size;
  return true;
}

inline bool decode(Reader &in, std::string &bytes) {
  std::string_view view;
  if (!decode(in, view))
    return false;
  bytes = view;
  return true;
}

template <typename... T> bool decode(Reader &in, std::tuple<T...> &values);
template <typename T> bool decode(Reader &in, std::optional<T> &value);
template <typename T> bool decode(Reader &in, Expected<T> &value);

template <typename T> bool decode(Reader &in, std::vector<T> &values) {
  uint64_t count = 0;
  // Every element takes a byte at least, so a count beyond the bytes left is a lie. The vector
  // grows as elements are really found, so a lie within that bound costs nothing either.
  if (!decode(in, count) || count > in.left())
    return false;
  values.clear();
  for (uint64_t i = 0; i < count; ++i)
    if (!decode(in, values.emplace_back()))
      return false;
  return true;
}

template <typename... T> bool decode(Reader &in, std::tuple<T...> &values) {
  return std::apply([&](auto &...value) { return (decode(in, value) && ...); }, values);
}

template <typename T> bool decode(Reader &in, std::optional<T> &value) {
  bool present = false;
  if (!decode(in, present))
    return false;
  value.reset();
  return !present || decode(in, value.emplace());
}

template <typename T> bool decode(Reader &in, Expected<T> &value) {
  bool present = false;
  if (!decode(in, present))
    return false;
  if (present) {
    T content{};
    if (!decode(in, content))
      return false;
    value = Expected<T>(std::move(content));
    return true;
  }
  std::string text;
  if (!decode(in, text))
    return false;
  value = Expected<T>(Error(std::move(text)));
  return true;
}

template <std::integral T> void encode(std::string &out, T value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof(T));
}

inline void encode(std::string &out, std::string_view bytes) {
  encode(out, static_cast<uint64_t>(bytes.size()));
  out.append(bytes);
}

inline void encode(std::string &out, const std::string &bytes) {
  encode(out, std::string_view(bytes));
}

inline void encode(std::string &out, const Error &error) {
  encode(out, static_cast<bool>(error));
  if (error)
    encode(out, error.text());
}

template <typename... T> void encode(std::string &out, const std::tuple<T...> &values);
template <typename T> void encode(std::string &out, const std::optional<T> &value);

template <typename T> void encode(std::string &out, const std::vector<T> &values) {
  encode(out, static_cast<uint64_t>(values.size()));
  for (const T &value : values)
    encode(out, value);
}

template <typename... T> void encode(std::string &out, const std::tuple<T...> &values) {
  std::apply([&](const auto &...value) { (encode(out, value), ...); }, values);
}

template <typename T> void encode(std::string &out, const std::optional<T> &value) {
  encode(out, value.has_value());
  if (value)
    encode(out, *value);
}

template <typename T> void encode(std::string &out, const Expected<T> &value) {
  encode(out, static_cast<bool>(value));
  if (value)
    encode(out, *value);
  else
    encode(out, value.text());
}

} // namespace farside
