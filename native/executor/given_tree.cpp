#include "given_tree.h"

#include "given_memory.h"
#include "sps.h"
#include "values.h"

#include "farside/value_kinds.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace farside {

namespace {
/// What is smaller travels faster in the reply.
constexpr size_t leastShared = size_t{128} << 10;
/// Tokens, without what lies in memory of its own.
constexpr size_t maxSize = size_t{1} << 30;
/// Values within values; the near side takes as many.
constexpr size_t maxDepth = 200;
} // namespace

void GivenTree::head(unsigned kind, size_t size) {
  if (size > maxSize || Bytes.size() + size > maxSize)
    throw std::length_error("a value that is given to Python takes more than 1 GiB");
  Bytes.push_back(static_cast<char>(kind));
  encode(Bytes, static_cast<uint32_t>(size));
}

void GivenTree::token(unsigned kind, std::string_view payload) {
  head(kind, payload.size());
  Bytes += payload;
}

void GivenTree::copied(unsigned kind, std::string_view before, uint64_t from, size_t size) {
  if (size >= leastShared)
    if (uint64_t number = putIntoMemory(from, size)) {
      std::string block(1, static_cast<char>(kind));
      encode(block, number);
      encode(block, static_cast<uint64_t>(size));
      block += before;
      return token(FARSIDE_VALUE_BLOCK, block);
    }
  head(kind, before.size() + size);
  Bytes += before;
  if (size != 0)
    Bytes.append(reinterpret_cast<const char *>(from), size);
}

void GivenTree::terminated(unsigned kind, uint64_t from, uint64_t most, size_t unit) {
  const auto *text = reinterpret_cast<const char *>(from);
  static constexpr char zeros[8] = {};
  uint64_t count = 0;
  if (unit == 1)
    count = most == ~uint64_t{0} ? std::strlen(text) : ::strnlen(text, static_cast<size_t>(most));
  else
    while (count < most && std::memcmp(text + count * unit, zeros, unit) != 0)
      ++count;
  copied(kind, {}, from, static_cast<size_t>(count) * unit);
}

void GivenTree::characters(unsigned kind, uint64_t from, uint64_t count, size_t unit) {
  const auto *text = reinterpret_cast<const char *>(from);
  copied(kind, {}, from, withoutZeros(text, static_cast<size_t>(count) * unit, unit));
}

void GivenTree::open(unsigned kind, std::string_view text) {
  token(kind, text);
  if (++Depth > maxDepth)
    throw std::length_error("a value that is given to Python is nested more than 200 levels deep");
}

bool GivenTree::enter(uint64_t object) {
  if (std::find(Path.begin(), Path.end(), object) != Path.end()) {
    token(FARSIDE_VALUE_CYCLE, {});
    return false;
  }
  Path.push_back(object);
  return true;
}

bool GivenTree::send() {
  bool known = !Bytes.empty() && Bytes[0] != FARSIDE_VALUE_OPAQUE;
  if (Bytes.size() >= leastShared)
    if (uint64_t number = putIntoMemory(reinterpret_cast<uint64_t>(Bytes.data()), Bytes.size())) {
      std::string block(1, static_cast<char>(FARSIDE_VALUE_TREE));
      encode(block, number);
      encode(block, static_cast<uint64_t>(Bytes.size()));
      addGiven(FARSIDE_VALUE_BLOCK, std::move(block));
      return known;
    }
  if (!addGiven(FARSIDE_VALUE_TREE, std::move(Bytes)))
    throw std::length_error("a value that is given to Python takes more than there is room for");
  return known;
}

} // namespace farside
