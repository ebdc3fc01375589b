// Values that cells show or give, in an executor that is not farside's own.
//
// There is no child to show a value in, so it is shown here, whether that takes code of the program
// or not: a display that crashes is a crash of the program. Nor is there memory beside the
// connection: what is given travels in the reply.
#include "exception_text.h"
#include "given_memory.h"
#include "show.h"
#include "show_tree.h"
#include "values.h"

#include "farside/value_kinds.h"

#include <memory>
#include <sys/mman.h>

namespace farside {

char memoryTag;

uint64_t putIntoMemory(uint64_t, size_t) { return 0; }

namespace {

struct Unmap {
  void operator()(TreeMemory *memory) const { ::munmap(memory, sizeof *memory); }
};

} // namespace

} // namespace farside

extern "C" void __farside_show(void (*entry)(void *, void *), const volatile void *object, unsigned,
                               uint64_t limit) {
  using namespace farside;
  void *mapped = ::mmap(nullptr, sizeof(TreeMemory), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    return;
  std::unique_ptr<TreeMemory, Unmap> memory(static_cast<TreeMemory *>(mapped));
  ShownTree tree(*memory, limit);
  try {
    entry(&tree, const_cast<void *>(object)); // as its own type has it, says the entry
  } catch (...) {
    ExceptionText thrown = describeCurrentException();
    tree.token(FARSIDE_VALUE_ERROR,
               "threw " + thrown.Type + (thrown.What ? ": " + *thrown.What : std::string()));
  }
  addValue(FARSIDE_VALUE_TREE, {memory->Bytes, static_cast<size_t>(memory->Size.load())});
}
