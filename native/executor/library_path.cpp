#include "library_path.h"

#include "fd.h"
#include "library_file.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <memory>
#include <optional>
#include <set>
#include <unistd.h>

namespace farside {

namespace {

constexpr const char *loaderCache = "/etc/ld.so.cache";
constexpr const char *loaderConfiguration = "/etc/ld.so.conf";
constexpr uint64_t maxFile = uint64_t{16} << 20;
constexpr size_t maxPlaces = 256;
constexpr size_t maxFiles = 100'000; // in one place

std::optional<std::string> readFile(const char *path) {
  struct stat status{};
  if (::stat(path, &status) != 0 || !S_ISREG(status.st_mode))
    return std::nullopt;
  UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0 ||
      static_cast<uint64_t>(status.st_size) > maxFile)
    return std::nullopt;
  std::string content(static_cast<size_t>(status.st_size), '\0');
  size_t have = 0;
  while (have < content.size()) {
    ssize_t got = readSome(fd.get(), content.data() + have, content.size() - have);
    if (got <= 0)
      break;
    have += static_cast<size_t>(got);
  }
  content.resize(have);
  return content;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    size_t end = std::min(text.find_first_of(separators), text.size());
    if (end != 0)
      parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string directoryOf(const std::string &path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

/// The run path of the executor's own file.
std::vector<std::string> ownRunPath() {
  std::vector<std::string> directories;
  char self[4096];
  ssize_t size = ::readlink("/proc/self/exe", self, sizeof self - 1);
  if (size <= 0)
    return directories;
  self[size] = '\0';
  std::string runPath = runPathOf(self);
  std::string origin = directoryOf(self);
  for (std::string_view each : split(runPath, ":"))
    directories.push_back(
        replaced(replaced(std::string(each), "${ORIGIN}", origin), "$ORIGIN", origin));
  return directories;
}

/// The directories of ld.so.conf, which includes other files by pattern.
void readConfiguration(const std::string &path, std::vector<std::string> &directories, int depth) {
  std::optional<std::string> text = readFile(path.c_str());
  if (!text || depth > 4)
    return;
  for (std::string_view line : split(*text, "\n")) {
    std::vector<std::string_view> words = split(line.substr(0, line.find('#')), " \t\r,:=");
    if (words.empty() || words[0] == "hwcap")
      continue;
    if (words[0] != "include") {
      if (words[0].front() == '/')
        directories.emplace_back(words[0]);
      continue;
    }
    for (size_t i = 1; i < words.size(); ++i) {
      std::string pattern(words[i]);
      if (pattern.front() != '/')
        pattern = directoryOf(path) + "/" + pattern;
      glob_t found{};
      if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
        for (size_t j = 0; j < found.gl_pathc; ++j)
          readConfiguration(found.gl_pathv[j], directories, depth + 1);
      ::globfree(&found);
    }
  }
}

class Places {
public:
  void add(std::string path, bool isCache = false) {
    while (path.size() > 1 && path.back() == '/')
      path.pop_back();
    // What is relative would mean another directory after each chdir. /lib and /usr/lib are often
    // one.
    struct stat status{};
    if (path.empty() || path.front() != '/' || Found.size() >= maxPlaces ||
        !Seen.insert(path).second)
      return;
    if (::stat(path.c_str(), &status) == 0 &&
        !SeenFiles.emplace(status.st_dev, status.st_ino).second)
      return;
    Found.push_back({std::move(path), isCache});
  }
  std::vector<LibraryPlace> take() { return std::move(Found); }

private:
  std::vector<LibraryPlace> Found;
  std::set<std::string> Seen;
  std::set<std::pair<dev_t, ino_t>> SeenFiles;
};

} // namespace

std::vector<LibraryPlace> libraryPlaces(const std::vector<std::string> &userDirectories,
                                        bool system) {
  Places places;
  for (const std::string &each : userDirectories)
    places.add(each);
  if (!system)
    return places.take();
  for (std::string &each : ownRunPath())
    places.add(std::move(each));
  if (const char *environment = std::getenv("LD_LIBRARY_PATH"))
    for (std::string_view each : split(environment, ":;"))
      places.add(std::string(each));
  if (::access(loaderCache, R_OK) == 0) {
    places.add(loaderCache, true);
  } else {
    std::vector<std::string> configured;
    readConfiguration(loaderConfiguration, configured, 0);
    for (std::string &each : configured)
      places.add(std::move(each));
  }
  for (const char *each : {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64",
                           "/usr/lib64", "/lib", "/usr/lib"})
    places.add(each);
  return places.take();
}

bool isLibraryName(std::string_view name) {
  size_t so = name.rfind(".so");
  if (!name.starts_with("lib") || so == std::string_view::npos)
    return false;
  // What follows is a version: `libx.so.1-gdb.py` and `libx.so.1.debug` are about a library.
  bool first = true; // character after a dot
  for (char c : name.substr(so + 3)) {
    bool digit = c >= '0' && c <= '9';
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c != '.' && !digit && (first || !letter))
      return false;
    first = c == '.';
  }
  std::string_view version = name.substr(so + 3);
  return version.empty() || (version.size() > 1 && version.front() == '.' && version.back() != '.');
}

std::vector<std::string> pathsOfLoaderCache(std::string_view cache) {
  constexpr std::string_view oldMagic = "ld.so-1.7.0";
  constexpr std::string_view magic = "glibc-ld.so.cache1.1";
  constexpr size_t headerSize = 48;
  constexpr int32_t x8664Libc6 = 0x0303;
  struct Entry {
    int32_t Flags;
    uint32_t Key;
    uint32_t Value;
    uint32_t OsVersion;
    uint64_t Hwcap;
  };
  static_assert(sizeof(Entry) == 24);

  std::vector<std::string> paths;
  if (cache.starts_with(oldMagic)) {
    uint32_t entries = 0;
    if (cache.size() < 16)
      return paths;
    std::memcpy(&entries, cache.data() + 12, sizeof entries);
    uint64_t end = (16 + uint64_t{12} * entries + 7) & ~uint64_t{7};
    if (end > cache.size())
      return paths;
    cache.remove_prefix(end);
  }
  uint32_t count = 0;
  if (cache.size() < headerSize || !cache.starts_with(magic))
    return paths;
  std::memcpy(&count, cache.data() + magic.size(), sizeof count);
  if (count > (cache.size() - headerSize) / sizeof(Entry))
    return paths;
  for (uint32_t i = 0; i < count && paths.size() < maxFiles; ++i) {
    Entry entry{};
    std::memcpy(&entry, cache.data() + headerSize + i * sizeof entry, sizeof entry);
    if (entry.Flags != x8664Libc6 || entry.Hwcap != 0 || entry.Value >= cache.size())
      continue;
    std::string_view path = cache.substr(entry.Value);
    size_t end = path.find('\0');
    if (end == std::string_view::npos || end > 4096 || path.empty() || path.front() != '/')
      continue;
    path = path.substr(0, end);
    if (isLibraryName(path.substr(path.rfind('/') + 1)))
      paths.emplace_back(path);
  }
  return paths;
}

std::vector<std::string> librariesIn(const LibraryPlace &place) {
  std::vector<std::string> paths;
  if (place.IsLoaderCache) {
    if (std::optional<std::string> cache = readFile(place.Path.c_str()))
      return pathsOfLoaderCache(*cache);
    return paths;
  }
  struct stat status{};
  if (::stat(place.Path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode))
    return {place.Path};
  std::unique_ptr<DIR, int (*)(DIR *)> directory(::opendir(place.Path.c_str()), ::closedir);
  while (const dirent *entry = directory ? ::readdir(directory.get()) : nullptr)
    if (isLibraryName(entry->d_name) && paths.size() < maxFiles)
      paths.push_back(place.Path + "/" + entry->d_name);
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> filesOfLinkerScript(std::string_view script,
                                             const std::string &directory) {
  std::string text(script);
  for (size_t start = 0; (start = text.find("/*", start)) != std::string::npos;) {
    size_t end = text.find("*/", start + 2);
    text.erase(start, end == std::string::npos ? std::string::npos : end + 2 - start);
  }
  std::vector<std::string> files;
  size_t open = 0; // parentheses of a command that names files
  std::string_view last;
  for (size_t at = 0; at < text.size() && files.size() < 64;) {
    size_t end = text.find_first_of(" \t\r\n(),;", at);
    std::string_view word = std::string_view(text).substr(at, std::min(end, text.size()) - at);
    char after = end == std::string::npos ? '\n' : text[end];
    at = end == std::string::npos ? text.size() : end + 1;
    if (!word.empty() && open != 0 && word != "AS_NEEDED") {
      if (word.front() == '/')
        files.emplace_back(word);
      else if (word.starts_with("-l"))
        files.push_back(directory + "/lib" + std::string(word.substr(2)) + ".so");
      else
        files.push_back(directory + "/" + std::string(word));
    }
    if (!word.empty())
      last = word;
    if (after == '(' && (open != 0 || last == "INPUT" || last == "GROUP"))
      ++open;
    else if (after == ')' && open != 0)
      --open;
  }
  std::erase_if(files, [](const std::string &file) {
    return !isLibraryName(std::string_view(file).substr(file.rfind('/') + 1));
  });
  return files;
}

} // namespace farside
