#include "wrapper.h"

#include <cstring>

namespace farside {

namespace {

char *copyToHeap(std::string_view bytes, size_t extra) {
  auto *copy = static_cast<char *>(std::malloc(bytes.size() + extra));
  if (copy == nullptr)
    std::abort();
  std::memcpy(copy, bytes.data(), bytes.size());
  return copy;
}

} // namespace

WrapperResult makeResult(std::string_view bytes) {
  WrapperResult result{};
  result.Size = bytes.size();
  if (bytes.size() > sizeof(result.Inline))
    result.Pointer = copyToHeap(bytes, 0);
  else if (!bytes.empty())
    std::memcpy(result.Inline, bytes.data(), bytes.size());
  return result;
}

WrapperResult makeOutOfBandError(std::string_view text) {
  WrapperResult result{};
  result.Pointer = copyToHeap(text, 1);
  result.Pointer[text.size()] = '\0';
  return result;
}

} // namespace farside
