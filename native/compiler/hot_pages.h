// Pages that are used again after each fork, and what their faults cost the next cell.
#pragma once

#include <cstdint>
#include <vector>

namespace farside {

/// Knows which pages this process uses between one fork and the next, and has them in place again
/// while nobody waits.
///
/// After a fork each page is shared until it is written, and the first write to each costs a fault
/// and a copy; and the child has no page tables for what is mapped from files, such as LLVM's code.
/// For a function of one line these are some 600 faults and 400, which take longer than all else.
class HotPages {
public:
  /// Notes which pages are this process's alone, thus written since the last fork, and which of
  /// files are in its page tables: to be called before each fork. Where Linux does not tell, none
  /// are.
  void note();

  /// Has the pages that were written copied, after a fork, in the parent or the child. An eighth is
  /// left out, another each time, so that those which nobody writes any more are forgotten.
  void makeOwn() const;

  /// Has the pages of files in the page tables, in the child.
  void map() const;

private:
  /// Of addresses, from the first to before the last.
  struct Range {
    uintptr_t begin;
    uintptr_t end;
  };
  static void append(std::vector<Range> &ranges, Range range);
  static void populate(const std::vector<Range> &ranges, int advice);

  std::vector<Range> Written;
  std::vector<Range> OfFiles;
  unsigned Forks = 0;
};

} // namespace farside
