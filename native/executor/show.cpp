#include "show.h"

#include "bootstrap.h"
#include "exception_text.h"
#include "given_memory.h"
#include "near_side.h"
#include "run_report.h"
#include "show_child.h"
#include "show_tree.h"
#include "values.h"
#include "wrapper.h"

#include "farside/value_kinds.h"

#include <algorithm>
#include <memory>
#include <string>
#include <sys/mman.h>

/// The address of this names the dispatch of displays to the near side.
extern "C" __attribute__((visibility("default"))) char farside_display_tag;
char farside_display_tag;

namespace farside {

namespace {

struct Unmap {
  void operator()(TreeMemory *memory) const { ::munmap(memory, sizeof *memory); }
};

/// Zeros, given by the kernel page by page as they are written to.
std::unique_ptr<TreeMemory, Unmap> makeMemory() {
  void *memory = ::mmap(nullptr, sizeof(TreeMemory), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return std::unique_ptr<TreeMemory, Unmap>(
      memory == MAP_FAILED ? nullptr : static_cast<TreeMemory *>(memory));
}

std::string failure(const std::string &text) {
  std::string token(1, static_cast<char>(FARSIDE_VALUE_ERROR));
  encode(token, static_cast<uint32_t>(text.size()));
  return token + text;
}

/// Calls `entry`, and writes down what it throws.
void showHere(TreeMemory &memory, ShowEntry entry, void *object, uint64_t limit) {
  ShownTree tree(memory, limit);
  try {
    entry(&tree, object);
  } catch (...) {
    ExceptionText thrown = describeCurrentException();
    std::string text = "threw " + thrown.Type;
    if (thrown.What)
      text += ": " + *thrown.What;
    tree.token(FARSIDE_VALUE_ERROR, text);
  }
}

std::string makeTree(ShowEntry entry, const volatile void *object, bool guarded, uint64_t limit) {
  constexpr uint64_t usualLimit = 100;
  auto memory = makeMemory();
  if (!memory)
    return failure("had no memory");
  void *mutableObject = const_cast<void *>(object); // as its own type has it, says the entry
  std::string end;
  limit = limit == 0 ? usualLimit : limit;
  if (guarded)
    end = showInChild(*memory, [&] { showHere(*memory, entry, mutableObject, limit); });
  else
    showHere(*memory, entry, mutableObject, limit);
  uint64_t size = std::min<uint64_t>(memory->Size.load(), sizeof memory->Bytes);
  std::string tree(memory->Bytes, static_cast<size_t>(size));
  return end.empty() ? tree : tree + failure(end);
}

} // namespace

std::span<const BootstrapSymbol> showSymbols() {
  static const BootstrapSymbol symbols[] = {symbol("farside_display_tag", &farside_display_tag),
                                            symbol("farside_memory_tag", &memoryTag)};
  return symbols;
}

} // namespace farside

// What cells call. Visible, so that cells find them by name.
#define FARSIDE_SHOW __attribute__((visibility("default")))

using namespace farside;

extern "C" {

FARSIDE_SHOW void __farside_show(void (*entry)(void *, void *), const volatile void *object,
                                 unsigned guarded, uint64_t limit) {
  addValue(FARSIDE_VALUE_TREE, makeTree(entry, object, guarded != 0, limit));
}

FARSIDE_SHOW void __farside_display(void (*entry)(void *, void *), const volatile void *object,
                                    uint64_t limit, const char *id, unsigned update) {
  // What a display does is undone, so what it shows besides is shown to nobody. One that shows
  // itself would make children without end.
  if (inShowChild())
    return;
  std::string message;
  encode(message, std::string_view(id == nullptr ? "" : id));
  encode(message, static_cast<uint8_t>(update != 0));
  encode(message, makeTree(entry, object, true, limit));
  flushOutput(); // what was printed before is there before
  WrapperBuffer reply(callNearSide(reinterpret_cast<uint64_t>(&farside_display_tag), message));
}
}
