#include "given_memory.h"

#include "server.h"

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace farside {

namespace {

/// Pages that are there already are filled through a mapping, in half of the time. A mapping of
/// pages that are not would fault for each of them, and take twice as long.
bool copyIntoPages(int memory, uint64_t from, size_t size) {
  constexpr uint64_t blockSize = 512; // of st_blocks
  struct stat found{};
  if (::fstat(memory, &found) != 0 || static_cast<uint64_t>(found.st_blocks) * blockSize < size)
    return false;
  void *mapped =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
  if (mapped == MAP_FAILED)
    return false;
  std::memcpy(mapped, reinterpret_cast<const void *>(from), size);
  ::munmap(mapped, size);
  return true;
}

bool write(int memory, uint64_t from, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t put = ::pwrite(memory, reinterpret_cast<const char *>(from) + done, size - done,
                           static_cast<off_t>(done));
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return false;
    done += static_cast<size_t>(put);
  }
  return true;
}

} // namespace

char memoryTag;

uint64_t putIntoMemory(uint64_t from, size_t size) {
  std::string request;
  encode(request, static_cast<uint64_t>(size));
  UniqueFd memory;
  WrapperBuffer reply(
      Server::get().dispatch(reinterpret_cast<uint64_t>(&memoryTag), request, &memory));
  Reader in(reply.bytes());
  uint64_t number = 0;
  if (!decode(in, number) || !memory)
    return 0;
  bool done = copyIntoPages(memory.get(), from, size) || write(memory.get(), from, size);
  return done ? number : 0;
}

} // namespace farside
