#include "library_cache.h"

#include "crc32.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <unordered_set>

namespace farside {

namespace {

constexpr std::string_view magic = "farside-libraries 1\n";
constexpr uint64_t maxCache = uint64_t{128} << 20;

template <typename T> bool decodeFields(Reader &in, T &first) { return decode(in, first); }
template <typename T, typename... More> bool decodeFields(Reader &in, T &first, More &...more) {
  return decode(in, first) && decodeFields(in, more...);
}

bool decodeKey(Reader &in, FileIdentity &key) {
  return decodeFields(in, key.Device, key.Inode, key.Size, key.Modified, key.Changed);
}

void encodeKey(std::string &out, const FileIdentity &key) {
  encode(out, key.Device);
  encode(out, key.Inode);
  encode(out, key.Size);
  encode(out, key.Modified);
  encode(out, key.Changed);
}

/// A file's facts without its identity; of the hashes, only the bytes that hold them.
bool decodeFacts(Reader &in, LibraryFacts &facts, std::string_view &hashes) {
  return decodeFields(in, facts.Skipped, facts.Soname, facts.Needed, hashes) &&
         hashes.size() % sizeof(uint32_t) == 0;
}

std::string encodeFacts(const LibraryFacts &facts) {
  std::string out;
  encode(out, facts.Skipped);
  encode(out, facts.Soname);
  encode(out, facts.Needed);
  encode(out, std::string_view(reinterpret_cast<const char *>(facts.Hashes.data()),
                               facts.Hashes.size() * sizeof(uint32_t)));
  return out;
}

/// Reads a file that is the user's own and that nobody else can write.
std::string readOwn(const std::string &path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
      status.st_size < 0 || static_cast<uint64_t>(status.st_size) > maxCache)
    return {};
  std::string content(static_cast<size_t>(status.st_size), '\0');
  for (size_t have = 0; have < content.size();) {
    ssize_t got = readSome(fd.get(), content.data() + have, content.size() - have);
    if (got <= 0)
      return {};
    have += static_cast<size_t>(got);
  }
  return content;
}

void makeDirectories(const std::string &path) {
  for (size_t slash = 1; (slash = path.find('/', slash)) != std::string::npos; ++slash)
    ::mkdir(path.substr(0, slash).c_str(), 0700);
}

bool writeWhole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

} // namespace

std::string LibraryCache::defaultPath() {
  const char *cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/')
    return std::string(cache) + "/farside/libraries.cache";
  const char *home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/')
    return std::string(home) + "/.cache/farside/libraries.cache";
  return {};
}

LibraryCache::LibraryCache(const std::string &path) {
  if (path.empty())
    return;
  Content = readOwn(path);
  uint32_t sum = 0;
  if (!Content.starts_with(magic) || Content.size() < magic.size() + sizeof sum)
    return;
  std::memcpy(&sum, Content.data() + magic.size(), sizeof sum);
  std::string_view body = std::string_view(Content).substr(magic.size() + sizeof sum);
  if (crc32(body) != sum)
    return;
  Reader in(body);
  uint64_t count = 0;
  if (!decode(in, count) || count > in.left())
    return;
  for (uint64_t i = 0; i < count; ++i) {
    FileIdentity key;
    std::string_view facts;
    if (!decodeKey(in, key) || !decode(in, facts))
      return;
    Entries.emplace(key, facts);
  }
}

std::optional<LibraryFacts> LibraryCache::find(const FileIdentity &identity) const {
  auto found = Entries.find(identity);
  if (found == Entries.end())
    return std::nullopt;
  Reader in(found->second);
  LibraryFacts facts;
  std::string_view hashes;
  if (!decodeFacts(in, facts, hashes))
    return std::nullopt;
  facts.Hashes.resize(hashes.size() / sizeof(uint32_t));
  if (!hashes.empty())
    std::memcpy(facts.Hashes.data(), hashes.data(), hashes.size());
  return facts;
}

void LibraryCache::write(
    const std::string &path,
    const std::vector<std::pair<FileIdentity, const LibraryFacts *>> &facts) const {
  if (path.empty())
    return;
  std::string body;
  uint64_t count = 0;
  encode(body, count);
  std::unordered_set<FileIdentity, Hash> written;
  auto add = [&](const FileIdentity &key, std::string_view bytes) {
    if (body.size() + bytes.size() < maxCache - 4096 && written.insert(key).second) {
      encodeKey(body, key);
      encode(body, bytes);
      ++count;
    }
  };
  for (const auto &[key, each] : facts)
    add(key, encodeFacts(*each));
  // Another session's path may lead to them. What grows beyond four times is not carried on.
  size_t limit = 4 * body.size();
  for (const auto &[key, bytes] : Entries)
    if (body.size() + bytes.size() < limit)
      add(key, bytes);
  std::memcpy(body.data(), &count, sizeof count);

  makeDirectories(path);
  std::string temporary = path + ".XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd)
    return;
  std::string head(magic);
  encode(head, crc32(body));
  if (!writeWhole(fd.get(), head) || !writeWhole(fd.get(), body) ||
      ::rename(temporary.c_str(), path.c_str()) != 0)
    ::unlink(temporary.c_str());
}

} // namespace farside
