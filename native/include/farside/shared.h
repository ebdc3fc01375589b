// Buffers that a Python program and this one both see, as `session.share` makes them.
#pragma once

#include <farside/python.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>

extern "C" void *__farside_shared(unsigned long key, unsigned long size);

namespace farside::detail {

/// The elements of a buffer. Throws where the session does not have it, as when it was resumed.
template <class T> std::span<T> shared(unsigned long key, std::size_t count, const char *name) {
  void *at = __farside_shared(key, count * sizeof(T));
  if (at == nullptr)
    throw std::runtime_error(std::string("the shared buffer ") + name +
                             " is not there any more; share it again");
  return {static_cast<T *>(at), count};
}

template <class T, std::size_t N>
ndspan<T, N> shared(unsigned long key, const std::size_t (&extents)[N], const char *name) {
  std::size_t count = 1;
  for (std::size_t each : extents)
    count *= each;
  return {shared<T>(key, count, name).data(), extents};
}

} // namespace farside::detail
