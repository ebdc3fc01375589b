#include "values.h"

#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace farside {

namespace {
constexpr uint64_t maxBytes = uint64_t{16} << 20;  // of all values of one commit
constexpr uint64_t maxGiven = uint64_t{768} << 20; // the near side takes no message beyond 1 GiB
constexpr uint64_t entryCost = 16;                 // so that empty values are not free
std::mutex mutex;
ValueCollector *current = nullptr;

/// Those of single threads. No thread-local variable: the companion object has none.
std::map<pthread_t, ValueCollector *> &ofThreads() {
  static auto *instance = new std::map<pthread_t, ValueCollector *>;
  return *instance;
}

ValueCollector *collector() {
  auto found = ofThreads().find(::pthread_self());
  return found == ofThreads().end() ? current : found->second;
}
} // namespace

struct ValueSink {
  template <typename Data> static bool add(uint8_t kind, Data &&data, uint64_t limit) {
    std::lock_guard lock(mutex);
    ValueCollector *to = collector();
    if (to == nullptr)
      return true; // nobody asks
    if (data.size() > limit || to->Size + data.size() + entryCost > limit)
      return false;
    to->Size += data.size() + entryCost;
    to->Values.emplace_back(kind, std::forward<Data>(data));
    return true;
  }
};

ValueCollector *&ValueCollector::place() const { return Thread ? ofThreads()[*Thread] : current; }

ValueCollector::ValueCollector(Scope scope) {
  std::lock_guard lock(mutex);
  if (scope == OfThread)
    Thread = ::pthread_self();
  Outer = std::exchange(place(), this);
}

ValueCollector::~ValueCollector() {
  std::lock_guard lock(mutex);
  place() = Outer;
  if (Thread && Outer == nullptr)
    ofThreads().erase(*Thread);
}

std::vector<ShownValue> ValueCollector::take() {
  std::lock_guard lock(mutex);
  return std::move(Values);
}

void addValue(uint8_t kind, std::string_view data) { ValueSink::add(kind, data, maxBytes); }

bool addGiven(uint8_t kind, std::string data) {
  return ValueSink::add(kind, std::move(data), maxGiven);
}

} // namespace farside

/// Called by the code that shows a value: `size` bytes at `data`, in the format that `kind` says.
/// A value beyond the limit of a commit is left out.
extern "C" __attribute__((visibility("default"))) void
__farside_value(unsigned kind, const void *data, uint64_t size) {
  farside::addValue(static_cast<uint8_t>(kind),
                    {static_cast<const char *>(data), static_cast<size_t>(size)});
}
