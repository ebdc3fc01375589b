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

#include "common_uses.h"

// It is kept by the compiler, and dropped again by the executor's linker.
[[gnu::used]] static void (*const commonUses)(int, const char *) = __farside_use_all;
