#include "show_tree.h"

#include "careful_read.h"

#include "farside/value_kinds.h"

#include <algorithm>
#include <cstring>

namespace farside {

namespace {
constexpr size_t headSize = 5;
/// Kept free, so that what is open can be closed.
constexpr size_t reserve = 1024;
/// Where containers end; bundles may go on.
constexpr size_t enough = size_t{1} << 20;
} // namespace

size_t withoutZeros(const char *text, size_t size, size_t unit) {
  while (size != 0 && text[size - 1] == 0)
    --size;
  return (size + unit - 1) / unit * unit;
}

/// Room for a token; null where there is none.
char *ShownTree::claim(unsigned kind, size_t size) {
  uint64_t used = Memory.Size.load(std::memory_order_relaxed);
  if (Unwritten != 0)
    return nullptr;
  size_t keep = kind == FARSIDE_VALUE_CLOSE || kind == FARSIDE_VALUE_CUT ? 0 : reserve;
  if (kind == FARSIDE_VALUE_DATA)
    keep += enough; // for the value itself, which comes after its bundle
  if (used + headSize + size + keep > sizeof Memory.Bytes)
    return nullptr;
  return Memory.Bytes + used + headSize;
}

/// Makes the token that was written to what claim() gave part of the tree.
void ShownTree::seal(unsigned kind, size_t size) {
  uint64_t used = Memory.Size.load(std::memory_order_relaxed);
  char *head = Memory.Bytes + used;
  head[0] = static_cast<char>(kind);
  auto bytes = static_cast<uint32_t>(size);
  std::memcpy(head + 1, &bytes, sizeof bytes);
  ++Tokens;
  Memory.Size.store(used + headSize + size, std::memory_order_release);
}

void ShownTree::token(unsigned kind, std::string_view payload) {
  if (char *place = claim(kind, payload.size())) {
    std::memcpy(place, payload.data(), payload.size());
    seal(kind, payload.size());
  }
}

void ShownTree::copied(unsigned kind, std::string_view head, uint64_t from, size_t size) {
  char *place = claim(kind, head.size() + size);
  if (place == nullptr) {
    if (kind == FARSIDE_VALUE_DATA)
      token(FARSIDE_VALUE_CUT, {});
    return;
  }
  std::memcpy(place, head.data(), head.size());
  if (readCarefully(place + head.size(), from, size) == size)
    return seal(kind, head.size() + size);
  token(FARSIDE_VALUE_UNREADABLE, {reinterpret_cast<const char *>(&from), sizeof from});
}

void ShownTree::terminated(unsigned kind, uint64_t from, uint64_t most, size_t unit) {
  size_t limit = textLimit(unit);
  size_t wanted = most > limit / unit ? limit : static_cast<size_t>(most) * unit;
  char *place = claim(kind, wanted);
  if (place == nullptr)
    return;
  constexpr size_t step = 512;
  size_t got = 0;
  while (got < wanted) {
    size_t part = std::min(step, wanted - got);
    size_t read = readCarefully(place + got, from + got, part);
    static constexpr char zeros[8] = {};
    for (size_t i = got; i + unit <= got + read; i += unit)
      if (std::memcmp(place + i, zeros, unit) == 0)
        return seal(kind, i);
    if (read < part)
      return token(FARSIDE_VALUE_UNREADABLE, {reinterpret_cast<const char *>(&from), sizeof from});
    got += read;
  }
  seal(kind, got);
}

void ShownTree::characters(unsigned kind, uint64_t from, uint64_t count, size_t unit) {
  size_t all = static_cast<size_t>(count) * unit;
  size_t size = std::min(textLimit(unit) / unit * unit, all);
  char *place = claim(kind, size);
  if (place == nullptr)
    return;
  // What is not shown matters only if it is something else than zeros.
  bool more = false;
  char rest[4096];
  size_t read = readCarefully(place, from, size);
  for (size_t at = size, part = 0; read == at && at < all && !more; at += part) {
    part = std::min(sizeof rest, all - at);
    read += readCarefully(rest, from + at, part);
    more = read == at + part && withoutZeros(rest, part, 1) != 0;
  }
  if (read < size || (read < all && !more))
    return token(FARSIDE_VALUE_UNREADABLE, {reinterpret_cast<const char *>(&from), sizeof from});
  seal(kind, more ? size : withoutZeros(place, size, unit));
}

void ShownTree::open(unsigned kind, std::string_view text) {
  if (claim(kind, text.size()) == nullptr)
    ++Unwritten;
  token(kind, text);
  Depth += 1;
  if (Depth <= maxDepth)
    Shown[Depth] = 0;
}

void ShownTree::close() {
  if (Unwritten != 0)
    --Unwritten;
  else
    token(FARSIDE_VALUE_CLOSE, {});
  Depth -= Depth > 0;
}

bool ShownTree::more() {
  bool room = Depth < maxDepth && Shown[Depth] < Limit && Tokens < totalFactor * Limit &&
              Memory.Size.load(std::memory_order_relaxed) < enough;
  if (room)
    ++Shown[Depth];
  else
    token(FARSIDE_VALUE_CUT, {});
  return room;
}

bool ShownTree::enter(uint64_t object) {
  if (std::find(Path, Path + Entered, object) != Path + Entered) {
    token(FARSIDE_VALUE_CYCLE, {});
    return false;
  }
  if (Entered == maxDepth || Depth >= maxDepth || Tokens >= totalFactor * Limit) {
    token(FARSIDE_VALUE_CUT, {});
    return false;
  }
  Path[Entered++] = object;
  return true;
}

// One unit more than is shown says that the string goes on.
uint64_t ShownTree::textLimit(size_t unit) const { return FARSIDE_VALUE_STRING_LIMIT + unit; }

void ShownTree::leave() { Entered -= Entered > 0; }

} // namespace farside
