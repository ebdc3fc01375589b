// The tree of tokens that stands for a value, as it is being written.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace farside {

/// What the functions of show.h write to.
class Tree {
public:
  Tree() = default;
  virtual ~Tree() = default;
  Tree(const Tree &) = delete;
  Tree &operator=(const Tree &) = delete;

  virtual void token(unsigned kind, std::string_view payload) = 0;
  /// A token whose payload is `head`, then `size` bytes of the program's memory.
  virtual void copied(unsigned kind, std::string_view head, uint64_t from, size_t size) = 0;
  /// A string of units of `unit` bytes at `from`, up to `most` of them, or to a NUL.
  virtual void terminated(unsigned kind, uint64_t from, uint64_t most, size_t unit) = 0;
  /// An array of `count` units, without the zeros that it ends with.
  virtual void characters(unsigned kind, uint64_t from, uint64_t count, size_t unit) = 0;
  virtual void open(unsigned kind, std::string_view text) = 0;
  virtual void close() = 0;
  virtual bool more() = 0;
  virtual bool enter(uint64_t object) = 0;
  virtual void leave() = 0;

  /// How many elements of a container are wanted.
  virtual uint64_t limit() const = 0;
  /// How many bytes of a string are wanted.
  virtual uint64_t textLimit(size_t unit) const = 0;
};

/// How many bytes there are before the units of zero that `text` ends with.
size_t withoutZeros(const char *text, size_t size, size_t unit);

/// Memory that a tree is written to. It may be shared with another process, which may read it at
/// any time: the bytes below `Size` are whole tokens.
struct TreeMemory {
  static constexpr size_t capacity = size_t{16} << 20;

  std::atomic<uint64_t> Size;
  std::atomic<uint32_t> Done;   ///< 1 when the display has come to its end
  std::atomic<uint32_t> Signal; ///< what it died of
  char Bytes[capacity - 16];
};

/// A tree that is shown. Beyond the limits of elements, depth and bytes it writes nothing but ends.
/// Neither allocates nor locks.
class ShownTree : public Tree {
public:
  ShownTree(TreeMemory &memory, uint64_t limit) : Memory(memory), Limit(limit) {}

  void token(unsigned kind, std::string_view payload) override;
  void copied(unsigned kind, std::string_view head, uint64_t from, size_t size) override;
  void terminated(unsigned kind, uint64_t from, uint64_t most, size_t unit) override;
  void characters(unsigned kind, uint64_t from, uint64_t count, size_t unit) override;
  void open(unsigned kind, std::string_view text) override;
  void close() override;
  bool more() override;
  bool enter(uint64_t object) override;
  void leave() override;

  uint64_t limit() const override { return Limit; }
  uint64_t textLimit(size_t unit) const override;

private:
  static constexpr size_t maxDepth = 48;
  static constexpr uint64_t totalFactor = 20; // tokens in all, as a multiple of the limit

  char *claim(unsigned kind, size_t size);
  void seal(unsigned kind, size_t size);

  TreeMemory &Memory;
  uint64_t Limit;
  uint64_t Tokens = 0;
  size_t Depth = 0;
  size_t Unwritten = 0; // opened values, the innermost, for which there was no room
  uint64_t Shown[maxDepth + 1] = {};
  size_t Entered = 0;
  uint64_t Path[maxDepth] = {};
};

} // namespace farside
