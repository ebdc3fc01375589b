// The code of instances that farside-executor brings; see common_uses.h.
#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <iomanip>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <queue>
#include <set>
#include <sstream>
#include <stack>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <farside/call_values.h>

#include "common_uses.h"

namespace {

/// What arguments of calls from Python are read with.
template <typename T> T __farside_read(farside::wire::Reader &in) {
  return farside::wire::argument(1, [&]() -> T { return farside::wire::Read<T>::from(in); });
}
void __farside_use_calls(const void *data, unsigned long size, int n) {
  farside::wire::Keeper kept;
  farside::wire::Reader in(data, size, nullptr, 0, &kept);
  auto strings = __farside_read<std::vector<std::string>>(in);
  auto names = __farside_read<std::map<std::string, std::string>>(in);
  auto matrix = __farside_read<std::vector<std::vector<double>>>(in);
  auto doubles = __farside_read<std::vector<double>>(in);
  auto ints = __farside_read<std::vector<int>>(in);
  auto longs = __farside_read<std::vector<long>>(in);
  auto counts = __farside_read<std::map<std::string, int>>(in);
  auto weights = __farside_read<std::map<std::string, double>>(in);
  auto words = __farside_read<std::set<std::string>>(in);
  auto numbers = __farside_read<std::set<int>>(in);
  auto pair = __farside_read<std::pair<int, int>>(in);
  auto view = farside::wire::readArray<const double, 1>(in);
  auto grid = farside::wire::readArray<const double, 2>(in);
  auto whole = farside::wire::readArray<const long, 1>(in);
  farside::wire::skip(in);
  farside::wire::Function call(__farside_read<farside::Callable>(in));
  farside::wire::Returned returned("");
  bool yes = returned;
  int number = returned;
  double real = returned;
  std::string text = returned;
  (void)(call.isKept() || strings.empty() || names.empty() || n || yes || number || real);
}

} // namespace

// It is kept by the compiler, and dropped again by the executor's linker.
[[gnu::used]] static void (*const commonUses)(int, const char *) = __farside_use_all;
[[gnu::used]] static void (*const callUses)(const void *, unsigned long, int) = __farside_use_calls;
