#include "given_memory.h"

#include "server.h"

#include <cerrno>
#include <unistd.h>

namespace farside {

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
  for (size_t done = 0; done < size;) {
    ssize_t put = ::pwrite(memory.get(), reinterpret_cast<const char *>(from) + done, size - done,
                           static_cast<off_t>(done));
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return 0;
    done += static_cast<size_t>(put);
  }
  return number;
}

} // namespace farside
