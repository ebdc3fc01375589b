#include "library_names.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <set>
#include <tuple>
#include <utility>

namespace farside {

namespace {

constexpr size_t longest = 255;
constexpr auto patience = std::chrono::milliseconds(500);

/// A bit for each character that occurs; names whose sets differ much cannot be near.
uint64_t charactersOf(std::string_view name) {
  uint64_t set = 0;
  for (char c : name)
    set |= uint64_t{1} << (static_cast<unsigned char>(c) & 63);
  return set;
}

struct Wanted {
  std::string_view Name;
  uint64_t Characters;
  uint32_t Limit;
  std::set<std::tuple<uint32_t, std::string, std::string>> Nearest; // distance, name, library
};

uint32_t limitFor(std::string_view name) {
  return static_cast<uint32_t>(std::clamp<size_t>(name.size() / 4, 1, 3));
}

void consider(Wanted &wanted, std::string_view name, const Library &library, size_t limit) {
  size_t longer = std::max(name.size(), wanted.Name.size());
  size_t shorter = std::min(name.size(), wanted.Name.size());
  if (longer - shorter > wanted.Limit || longer > longest)
    return;
  // Each edit takes at most one character out of the set and brings one in.
  if (static_cast<uint32_t>(std::popcount(charactersOf(name) ^ wanted.Characters)) >
      2 * wanted.Limit)
    return;
  uint32_t distance = editDistance(wanted.Name, name, wanted.Limit);
  if (distance > wanted.Limit || distance == 0)
    return;
  auto same = [&](const auto &each) { return std::get<1>(each) == name; };
  if (std::any_of(wanted.Nearest.begin(), wanted.Nearest.end(), same))
    return;
  wanted.Nearest.emplace(distance, name, library.Path.substr(library.Path.rfind('/') + 1));
  if (wanted.Nearest.size() > limit)
    wanted.Nearest.erase(std::prev(wanted.Nearest.end()));
}

} // namespace

uint32_t editDistance(std::string_view a, std::string_view b, uint32_t limit) {
  if (a.size() > longest || b.size() > longest)
    return limit + 1;
  uint32_t rows[3][longest + 1];
  uint32_t *before = rows[0];
  uint32_t *last = rows[1];
  uint32_t *row = rows[2];
  for (uint32_t j = 0; j <= b.size(); ++j)
    last[j] = j;
  for (uint32_t i = 1; i <= a.size(); ++i) {
    uint32_t best = row[0] = i;
    for (uint32_t j = 1; j <= b.size(); ++j) {
      uint32_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
      best = std::min(best, row[j]);
    }
    if (best > limit)
      return limit + 1;
    std::swap(before, last);
    std::swap(last, row);
  }
  return std::min(last[b.size()], limit + 1);
}

std::vector<std::vector<NearName>>
nearestNames(const LibraryIndex &index, const std::vector<std::string> &names, size_t limit) {
  std::vector<Wanted> wanted;
  for (const std::string &name : names)
    wanted.push_back({name, charactersOf(name), limitFor(name), {}});
  auto deadline = std::chrono::steady_clock::now() + patience;
  const Library *present = nullptr;
  index.forEachName([&](std::string_view name, const Library &library) {
    if (&library != std::exchange(present, &library) && std::chrono::steady_clock::now() > deadline)
      return false;
    for (Wanted &each : wanted)
      consider(each, name, library, limit);
    return true;
  });
  std::vector<std::vector<NearName>> found;
  for (Wanted &each : wanted) {
    auto &nearest = found.emplace_back();
    for (const auto &[distance, name, library] : each.Nearest)
      nearest.push_back({name, library});
  }
  return found;
}

} // namespace farside
