// A descriptor that can be told from another file under its number: a program may close any.
#pragma once

#include <sys/stat.h>

namespace farside {

class Watched {
public:
  explicit Watched(int fd) : Fd(fd) {
    if (::fstat(Fd, &Identity) != 0)
      Fd = -1;
  }

  /// -1, which poll passes over, once the program has closed it.
  int fd() const {
    struct stat now{};
    bool same = Fd >= 0 && ::fstat(Fd, &now) == 0 && now.st_dev == Identity.st_dev &&
                now.st_ino == Identity.st_ino;
    return same ? Fd : -1;
  }

private:
  int Fd;
  struct stat Identity{};
};

} // namespace farside
