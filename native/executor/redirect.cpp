// Functions that are defined again: whoever calls the old code comes to the new.
#include "redirect.h"

#include "memory.h"
#include "wrapper.h"

#include <array>
#include <cstring>
#include <map>
#include <vector>

namespace farside {

namespace {

/// jmp rel32, and the distance from its end.
using Jump = std::array<char, 5>;

/// What lay under the jumps, by the address of the old function, oldest first.
std::map<uint64_t, std::vector<Jump>> &overwritten() {
  static auto *instance = new std::map<uint64_t, std::vector<Jump>>;
  return *instance;
}

Error store(uint64_t address, const Jump &bytes) {
  ProtectedWriter writer;
  return writer.write(address, {bytes.data(), bytes.size()});
}

/// The caller knows that this much of the old function may be overwritten.
Error redirect(uint64_t from, uint64_t to) {
  Jump jump{'\xe9'};
  if (!Slab::get().contains(from, jump.size()) || !(Slab::get().protection(from) & 4))
    return Error("redirect: no code of a cell lies there");
  auto distance = static_cast<int64_t>(to - from - jump.size());
  if (distance != static_cast<int32_t>(distance))
    return Error("redirect: the new function is out of reach");
  Jump before;
  std::memcpy(before.data(), reinterpret_cast<const void *>(from), before.size());
  auto displacement = static_cast<int32_t>(distance);
  std::memcpy(jump.data() + 1, &displacement, sizeof displacement);
  if (Error error = store(from, jump))
    return error;
  overwritten()[from].push_back(before);
  return {};
}

Error undoRedirect(uint64_t from) {
  auto found = overwritten().find(from);
  if (found == overwritten().end())
    return Error("redirect: no function was redirected there");
  Jump before = found->second.back();
  found->second.pop_back();
  if (found->second.empty())
    overwritten().erase(found);
  // The old function may have been taken back itself; its memory is somebody else's then, or none.
  return Slab::get().protection(from) & 4 ? store(from, before) : Error();
}

} // namespace

WrapperResult redirectWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, redirect);
}

WrapperResult undoRedirectWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t>(data, size, undoRedirect);
}

} // namespace farside
