#include "librarian.h"

#include "connection.h"
#include "library_index.h"
#include "library_names.h"
#include "sps.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <malloc.h>
#include <poll.h>
#include <set>
#include <sys/inotify.h>
#include <unistd.h>

namespace farside {

namespace {

enum Request : uint64_t { ScanTag = 1, FindTag = 2, NearTag = 3 };
enum Call : uint64_t { PathChangedTag = 1 };

constexpr uint32_t changes = IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                             IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/// Watches the places of the search path for changes of what is named like a library.
class PathWatch {
public:
  /// Watches these places instead of those before. False if one of them cannot be watched.
  bool start(const std::vector<LibraryPlace> &places) {
    Fd = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    bool all = static_cast<bool>(Fd);
    for (const LibraryPlace &each : places) {
      // The loader's cache is replaced by renaming; so its directory is watched.
      std::string directory =
          each.IsLoaderCache ? each.Path.substr(0, each.Path.rfind('/')) : each.Path;
      if (Fd && ::inotify_add_watch(Fd.get(), directory.c_str(), changes) < 0)
        // What is not there cannot be watched, and nobody expects /usr/lib64 to appear. Of a single
        // file it is enough to know whether it is the same when it is asked.
        all = all && (errno == ENOTDIR || (errno == ENOENT && !isUserPlace(each)));
    }
    return all;
  }

  void setUserPlaces(const std::vector<std::string> &places) {
    UserPlaces = {places.begin(), places.end()};
  }

  int fd() const { return Fd.get(); }

  /// Takes what has happened; true if any of it concerns a library.
  bool takeChanges() {
    alignas(inotify_event) char events[8192];
    bool any = false;
    for (;;) {
      ssize_t got = Fd ? ::read(Fd.get(), events, sizeof events) : -1;
      if (got <= 0)
        return any;
      for (char *at = events; at < events + got;) {
        inotify_event event{};
        std::memcpy(&event, at, sizeof event);
        std::string_view name(at + sizeof event, event.len);
        name = name.substr(0, name.find('\0'));
        any |= event.len == 0 || (event.mask & IN_Q_OVERFLOW) != 0 || isLibraryName(name) ||
               name == "ld.so.cache";
        at += sizeof event + event.len;
      }
    }
  }

private:
  bool isUserPlace(const LibraryPlace &place) const { return UserPlaces.contains(place.Path); }

  UniqueFd Fd;
  std::set<std::string> UserPlaces;
};

class Librarian {
public:
  explicit Librarian(UniqueFd nearSide)
      : Socket(nearSide.get()), Link(std::move(nearSide), UniqueFd()) {}

  void serve() {
    for (;;) {
      pollfd events[] = {{Socket, POLLIN, 0}, {Watch.fd(), POLLIN, 0}};
      if (!Link.hasBuffered() && ::poll(events, 2, -1) < 0 && errno != EINTR)
        return;
      if (events[1].revents != 0 && Watch.takeChanges() && !std::exchange(ToldOfChange, true))
        Link.send(Opcode::CallWrapper, NextCall++, PathChangedTag, {});
      if ((Link.hasBuffered() || events[0].revents != 0) && !answer())
        return;
    }
  }

private:
  bool answer() {
    Frame frame;
    if (Link.receive(frame) != ReceiveStatus::Frame ||
        frame.Header.Opcode != static_cast<uint64_t>(Opcode::CallWrapper))
      return false;
    Reader in(frame.payload());
    std::string out;
    bool understood = false;
    switch (frame.Header.TagAddress) {
    case ScanTag:
      understood = scan(in, out);
      break;
    case FindTag:
      understood = find(in, out);
      break;
    case NearTag:
      understood = near(in, out);
      break;
    default:
      break;
    }
    return understood && Link.send(Opcode::Result, frame.Header.SequenceNumber, 0, out);
  }

  bool scan(Reader &in, std::string &out) {
    ScanRequest request;
    if (!decode(in, request.Directories) || !decode(in, request.System) ||
        !decode(in, request.UseCache) || !decode(in, request.Whole))
      return false;
    // Watched before it is read: what changes in between shows as a change.
    Watch.setUserPlaces(request.Directories);
    bool watching = Watch.start(libraryPlaces(request.Directories, request.System));
    ToldOfChange = false;
    ScanReport report = Index.scan(request);
    ::malloc_trim(0); // what was read is larger than what is kept of it
    std::vector<std::tuple<uint32_t, uint64_t, std::string>> parts;
    for (FilterPart &each : report.Parts)
      parts.emplace_back(each.Probes, each.Bits, std::move(each.Content));
    std::vector<std::string> places;
    for (const LibraryPlace &each : Index.places())
      places.push_back(each.Path);
    std::vector<std::tuple<std::string, std::string>> skipped;
    for (auto &[path, why] : report.Skipped)
      skipped.emplace_back(std::move(path), std::move(why));
    encode(out, std::tuple(report.Libraries, report.Symbols, report.FilesRead, report.FilesKnown,
                           watching, report.Whole, parts, places, skipped, report.SkippedCount));
    return true;
  }

  bool find(Reader &in, std::string &out) {
    std::vector<std::string_view> names;
    if (!decode(in, names))
      return false;
    bool stale = false;
    std::vector<uint32_t> libraries; // in the order of their first mention
    std::vector<std::vector<std::tuple<uint32_t, uint8_t, std::string>>> definitions;
    for (std::string_view name : names) {
      auto &answers = definitions.emplace_back();
      for (Definition &each : Index.find(name, stale)) {
        auto known = std::find(libraries.begin(), libraries.end(), each.Library);
        auto number = static_cast<uint32_t>(known - libraries.begin());
        if (known == libraries.end())
          libraries.push_back(each.Library);
        answers.emplace_back(number, each.Symbol.Kind, std::move(each.Symbol.Version));
      }
    }
    encode(out, stale);
    std::vector<std::tuple<std::string, std::string, uint32_t, bool, std::vector<std::string>>>
        described;
    for (uint32_t each : libraries) {
      const Library &library = Index.libraries()[each];
      described.emplace_back(library.Path, library.Facts.Soname, library.Place, library.HasLink,
                             Index.closure(each));
    }
    encode(out, described);
    encode(out, definitions);
    return true;
  }

  bool near(Reader &in, std::string &out) {
    std::vector<std::string> names;
    uint32_t limit = 0;
    if (!decode(in, names) || !decode(in, limit))
      return false;
    std::vector<std::vector<std::tuple<std::string, std::string>>> answers;
    for (auto &found : nearestNames(Index, names, limit)) {
      auto &answer = answers.emplace_back();
      for (NearName &each : found)
        answer.emplace_back(std::move(each.Name), std::move(each.Library));
    }
    encode(out, answers);
    return true;
  }

  int Socket;
  Connection Link;
  LibraryIndex Index;
  PathWatch Watch;
  bool ToldOfChange = false;
  uint64_t NextCall = 0;
};

} // namespace

void becomeLibrarian(UniqueFd nearSide) {
  constexpr int socket = 3;
  if (nearSide.get() != socket && ::dup2(nearSide.get(), socket) == socket)
    nearSide = UniqueFd(socket);
  ::close_range(socket + 1, ~0U, 0);
  Librarian(std::move(nearSide)).serve();
  ::_exit(0);
}

} // namespace farside
