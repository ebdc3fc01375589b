// The functions of show.h that write tokens, and the one that gives values away whole.
#include "careful_read.h"
#include "exception_text.h"
#include "given_tree.h"
#include "show.h"
#include "show_tree.h"
#include "sps.h"

#include "farside/value_kinds.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <memory>
#include <string>

namespace farside {

namespace {

Tree &treeOf(void *out) { return *static_cast<Tree *>(out); }

uint64_t addressOf(const volatile void *object) { return reinterpret_cast<uint64_t>(object); }

std::string_view bytesOf(const uint64_t &word) {
  return {reinterpret_cast<const char *>(&word), sizeof word};
}

std::string_view textOf(const char *text) { return text == nullptr ? "" : text; }

/// As Clang writes it: without the inline namespaces of the libraries, and without the tags that
/// tell what is defined again from the old.
std::string shortened(std::string text) {
  for (std::string_view inner : {"::__1::", "::__cxx11::", "::__fs::"})
    for (size_t at = text.find(inner); at != std::string::npos; at = text.find(inner, at))
      text.erase(at + 2, inner.size() - 2);
  constexpr std::string_view tag = "[abi:cell";
  for (size_t at = text.find(tag); at != std::string::npos; at = text.find(tag, at))
    text.erase(at, text.find(']', at) - at + 1);
  return text;
}

std::string demangled(const char *name) {
  int status = 0;
  std::unique_ptr<char, void (*)(void *)> made(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                               std::free);
  return shortened(made ? made.get() : name);
}

/// The mangled name of the class that an object with a vtable is of; empty where that is not to be
/// found out. Itanium C++ ABI 2.5.2: the word before a vtable's address point is the type_info,
/// whose second word is the name.
std::string dynamicName(uint64_t object) {
  constexpr size_t maxName = 4096;
  uint64_t table = 0;
  uint64_t info = 0;
  uint64_t name = 0;
  auto load = [](uint64_t &word, uint64_t from) {
    return readCarefully(&word, from, sizeof word) == sizeof word && word != 0;
  };
  if (!load(table, object) || !load(info, table - 8) || !load(name, info + 8))
    return {};
  std::string text(maxName, '\0');
  text.resize(readCarefully(text.data(), name, maxName));
  size_t end = text.find('\0');
  if (end == std::string::npos)
    return {};
  text.resize(end);
  return text.starts_with('*') ? text.substr(1) : text;
}

size_t unitOf(unsigned kind) {
  switch (kind) {
  case FARSIDE_VALUE_STRING16:
    return 2;
  case FARSIDE_VALUE_STRING32:
  case FARSIDE_VALUE_WSTRING:
    return 4;
  default:
    return 1;
  }
}

bool isText(unsigned kind) {
  return kind == FARSIDE_VALUE_STRING || kind == FARSIDE_VALUE_TEXT || kind == FARSIDE_VALUE_CSTR ||
         (kind >= FARSIDE_VALUE_STRING8 && kind <= FARSIDE_VALUE_WSTRING);
}

uint64_t numberOf(const char *bytes, size_t size, bool isSigned) {
  uint64_t number = 0;
  std::memcpy(&number, bytes, std::min(size, sizeof number));
  if (isSigned && size < sizeof number && (number >> (size * 8 - 1)) != 0)
    number |= ~uint64_t{0} << (size * 8);
  return number;
}

/// The name for a number in pairs of texts, or null.
const char *findName(const char *table, const std::string &number) {
  while (*table != '\0') {
    const char *name = table + std::strlen(table) + 1;
    if (number == table)
      return name;
    table = name + std::strlen(name) + 1;
  }
  return nullptr;
}

} // namespace

} // namespace farside

// What cells call. Visible, so that cells find them by name.
#define FARSIDE_SHOW __attribute__((visibility("default")))

using namespace farside;

extern "C" {

FARSIDE_SHOW unsigned __farside_give(void (*entry)(void *, void *), const volatile void *object) {
  GivenTree tree;
  entry(&tree, const_cast<void *>(object)); // as its own type has it, says the entry
  return tree.send() ? 1 : 0;
}

FARSIDE_SHOW void __farside_leaf(void *out, unsigned kind, const volatile void *data,
                                 uint64_t size) {
  if (isText(kind))
    size = std::min(size, treeOf(out).textLimit(unitOf(kind)));
  treeOf(out).copied(kind, {}, addressOf(data), static_cast<size_t>(size));
}

FARSIDE_SHOW void __farside_address(void *out, const volatile void *object) {
  treeOf(out).token(FARSIDE_VALUE_OBJECT, bytesOf(addressOf(object)));
}

FARSIDE_SHOW void __farside_integer(void *out, unsigned kind, unsigned long long value,
                                    uint64_t size) {
  uint64_t word = value;
  treeOf(out).token(kind, bytesOf(word).substr(0, static_cast<size_t>(size)));
}

FARSIDE_SHOW void __farside_chars(void *out, unsigned kind, const volatile void *data,
                                  uint64_t count, uint64_t direct) {
  Tree &tree = treeOf(out);
  uint64_t from = addressOf(data);
  if (direct == 0) {
    if (readCarefully(&from, addressOf(data), sizeof from) != sizeof from)
      return tree.token(FARSIDE_VALUE_UNREADABLE, bytesOf(addressOf(data)));
    count = ~uint64_t{0};
  }
  if (from == 0)
    return tree.token(FARSIDE_VALUE_CSTR_NULL, {});
  if (direct == 2)
    return tree.characters(kind, from, count, unitOf(kind));
  tree.terminated(kind, from, count, unitOf(kind));
}

FARSIDE_SHOW void __farside_array(void *out, unsigned kind, const volatile void *data,
                                  uint64_t size, uint64_t count) {
  constexpr uint64_t maxSize = 1024; // of a _BitInt
  Tree &tree = treeOf(out);
  uint64_t shown = std::min(count, tree.limit());
  tree.open(FARSIDE_VALUE_SEQUENCE, {});
  tree.token(FARSIDE_VALUE_COUNT, bytesOf(count));
  std::string head(1, static_cast<char>(kind));
  encode(head, size);
  if (shown != 0 && size <= maxSize)
    tree.copied(FARSIDE_VALUE_ARRAY, head, addressOf(data), static_cast<size_t>(shown * size));
  if (shown < count)
    tree.token(FARSIDE_VALUE_CUT, {});
  tree.close();
}

FARSIDE_SHOW void __farside_numbers(void *out, unsigned kind, const volatile void *data,
                                    uint64_t size, uint64_t count, const char *inner) {
  std::string head(1, static_cast<char>(kind));
  std::string shape;
  encode(shape, count);
  uint64_t all = count;
  uint8_t dimensions = 1;
  for (; *inner != '\0'; ++dimensions) {
    char *end = nullptr;
    uint64_t dimension = std::strtoull(inner, &end, 10);
    encode(shape, dimension);
    all *= dimension;
    inner = *end == ',' ? end + 1 : end;
  }
  encode(head, dimensions);
  encode(head, size);
  treeOf(out).copied(FARSIDE_VALUE_NUMBERS, head + shape, addressOf(data),
                     static_cast<size_t>(all * size));
}

FARSIDE_SHOW void __farside_enumerator(void *out, unsigned kind, const volatile void *data,
                                       uint64_t size, const char *table, const char *type) {
  Tree &tree = treeOf(out);
  char bytes[16];
  size = std::min<uint64_t>(size, sizeof bytes);
  std::memcpy(bytes, const_cast<const void *>(data), size);
  bool isSigned = kind == FARSIDE_VALUE_ENUM;
  uint64_t number = numberOf(bytes, size, isSigned);
  const char *names = table + std::strlen(table) + 1;
  const char *name = findName(names, isSigned ? std::to_string(static_cast<int64_t>(number))
                                              : std::to_string(number));
  tree.open(FARSIDE_VALUE_ENUMERATION, type);
  tree.token(isSigned ? FARSIDE_VALUE_INT : FARSIDE_VALUE_UINT, {bytes, size});
  if (name != nullptr)
    tree.token(FARSIDE_VALUE_NAME, name);
  tree.close();
}

FARSIDE_SHOW void __farside_enum(void *out, unsigned kind, const volatile void *data, uint64_t size,
                                 const char *table) {
  Tree &tree = treeOf(out);
  char bytes[16];
  if (size > sizeof bytes || readCarefully(bytes, addressOf(data), size) != size)
    return tree.token(FARSIDE_VALUE_UNREADABLE, bytesOf(addressOf(data)));
  bool isSigned = kind == FARSIDE_VALUE_ENUM;
  uint64_t number = numberOf(bytes, size, isSigned);
  const char *names = table + std::strlen(table) + 1;
  const char *name = findName(names, isSigned ? std::to_string(static_cast<int64_t>(number))
                                              : std::to_string(number));
  if (name != nullptr)
    return tree.token(FARSIDE_VALUE_NAME, name);
  tree.open(FARSIDE_VALUE_TYPED, table);
  tree.token(isSigned ? FARSIDE_VALUE_INT : FARSIDE_VALUE_UINT, {bytes, size});
  tree.close();
}

FARSIDE_SHOW void __farside_member(void *out, const volatile void *data, const char *table) {
  Tree &tree = treeOf(out);
  int64_t offset = 0;
  if (readCarefully(&offset, addressOf(data), sizeof offset) != sizeof offset)
    return tree.token(FARSIDE_VALUE_UNREADABLE, bytesOf(addressOf(data)));
  if (const char *name = findName(table, std::to_string(offset)))
    return tree.token(FARSIDE_VALUE_NAME, std::string("&") + name);
  tree.token(FARSIDE_VALUE_MEMBER, bytesOf(static_cast<uint64_t>(offset)));
}

FARSIDE_SHOW void __farside_open(void *out, unsigned kind, const char *text) {
  treeOf(out).open(kind, textOf(text));
}

FARSIDE_SHOW void __farside_open_dynamic(void *out, const volatile void *object, const char *type) {
  std::string name = dynamicName(addressOf(object));
  if (!name.empty())
    name = demangled(name.c_str());
  if (name.empty() || name == type)
    treeOf(out).open(FARSIDE_VALUE_OPTIONAL, {});
  else
    treeOf(out).open(FARSIDE_VALUE_TYPED, name);
}

FARSIDE_SHOW void __farside_open_type(void *out, const char *mangled) {
  treeOf(out).open(FARSIDE_VALUE_TYPED, demangled(mangled));
}

FARSIDE_SHOW void __farside_type_name(void *out, const char *mangled) {
  treeOf(out).token(FARSIDE_VALUE_NAME, demangled(mangled));
}

FARSIDE_SHOW void __farside_caught(void *out) {
  Tree &tree = treeOf(out);
  ExceptionText thrown = describeCurrentException();
  tree.open(FARSIDE_VALUE_TYPED, shortened(thrown.Type));
  if (thrown.What && !thrown.IsNumber)
    __farside_chars(out, FARSIDE_VALUE_CSTR, thrown.What->data(), thrown.What->size(), 1);
  else
    tree.token(FARSIDE_VALUE_NAME, thrown.What.value_or("an exception that is no std::exception"));
  tree.close();
}

FARSIDE_SHOW void __farside_bits(void *out, const volatile void *data, uint64_t count) {
  Tree &tree = treeOf(out);
  uint64_t shown = std::min(count, tree.limit());
  std::string bits((shown + 7) / 8, '\0');
  if (readCarefully(bits.data(), addressOf(data), bits.size()) != bits.size())
    return tree.token(FARSIDE_VALUE_UNREADABLE, bytesOf(addressOf(data)));
  tree.open(FARSIDE_VALUE_SEQUENCE, {});
  tree.token(FARSIDE_VALUE_COUNT, bytesOf(count));
  for (uint64_t bit = 0; bit < shown; ++bit)
    tree.token(FARSIDE_VALUE_BOOL,
               std::string(1, static_cast<char>(bits[bit / 8] >> (bit % 8) & 1)));
  if (shown < count)
    tree.token(FARSIDE_VALUE_CUT, {});
  tree.close();
}

FARSIDE_SHOW void __farside_close(void *out) { treeOf(out).close(); }

FARSIDE_SHOW void __farside_label(void *out, const char *name) {
  treeOf(out).token(FARSIDE_VALUE_LABEL, textOf(name));
}

FARSIDE_SHOW void __farside_count(void *out, uint64_t count) {
  treeOf(out).token(FARSIDE_VALUE_COUNT, bytesOf(count));
}

FARSIDE_SHOW int __farside_more(void *out) { return treeOf(out).more() ? 1 : 0; }

FARSIDE_SHOW int __farside_enter(void *out, const volatile void *object) {
  return treeOf(out).enter(addressOf(object)) ? 1 : 0;
}

FARSIDE_SHOW void __farside_leave(void *out) { treeOf(out).leave(); }
}
