// Names that are nearly like another: what the user may have meant.
#pragma once

#include "library_index.h"

#include <string>
#include <string_view>
#include <vector>

namespace farside {

struct NearName {
  std::string Name;
  std::string Library; // the last part of its path
};

/// Returns how many characters must be inserted, dropped, replaced, or swapped with their neighbour
/// to make one name of the other; `limit` + 1 if it is more than `limit`.
uint32_t editDistance(std::string_view a, std::string_view b, uint32_t limit);

/// Returns the nearest names on the search path for each name, nearest first, at most `limit`. All
/// names of all libraries are read for it, for half a second at most.
std::vector<std::vector<NearName>>
nearestNames(const LibraryIndex &index, const std::vector<std::string> &names, size_t limit);

} // namespace farside
