// A value on its way to a Python program: a tree as it is shown, but whole.
//
// It is written in the worker, while the cell runs, and reads memory as the program itself would: a
// value that cannot be walked costs the cell. What is large goes through memory of the near side's.
#pragma once

#include "show_tree.h"

#include <string>
#include <vector>

namespace farside {

/// Throws std::length_error where a value has no end, or none within reason.
class GivenTree : public Tree {
public:
  GivenTree() { Bytes.reserve(usualSize); }

  void token(unsigned kind, std::string_view payload) override;
  void copied(unsigned kind, std::string_view head, uint64_t from, size_t size) override;
  void terminated(unsigned kind, uint64_t from, uint64_t most, size_t unit) override;
  void characters(unsigned kind, uint64_t from, uint64_t count, size_t unit) override;
  void open(unsigned kind, std::string_view text) override;
  void close() override { token(closeKind, {}), --Depth; }
  bool more() override { return true; }
  bool enter(uint64_t object) override;
  void leave() override { Path.pop_back(); }

  uint64_t limit() const override { return ~uint64_t{0}; }
  uint64_t textLimit(size_t) const override { return ~uint64_t{0}; }

  /// Adds the tree to the values of the running commit. Returns whether it is more than OPAQUE.
  bool send();

private:
  static constexpr size_t usualSize = 256;
  static constexpr unsigned closeKind = 45; // FARSIDE_VALUE_CLOSE

  void head(unsigned kind, size_t size);

  std::string Bytes;
  std::vector<uint64_t> Path;
  size_t Depth = 0;
};

} // namespace farside
