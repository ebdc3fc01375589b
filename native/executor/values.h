// Values that a cell shows, on their way to the near side.
#pragma once

#include <cstdint>
#include <optional>
#include <pthread.h>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace farside {

/// SPS (u8 kind, Sequence<char> data).
using ShownValue = std::tuple<uint8_t, std::string>;

/// Collects what `__farside_value` is given while the object lives. Commits nest, and so do these.
class ValueCollector {
public:
  /// Says that only what one thread gives is collected.
  enum Scope { OfAll, OfThread };

  explicit ValueCollector(Scope scope = OfAll);
  ~ValueCollector();
  ValueCollector(const ValueCollector &) = delete;
  ValueCollector &operator=(const ValueCollector &) = delete;

  std::vector<ShownValue> take();

private:
  friend struct ValueSink;
  ValueCollector *&place() const;

  std::optional<pthread_t> Thread;
  ValueCollector *Outer;
  std::vector<ShownValue> Values;
  uint64_t Size = 0;
};

/// Adds a value to what is being collected; one beyond the limit of a commit is left out.
void addValue(uint8_t kind, std::string_view data);

/// The same for a value that is given, which may be larger. False if it is left out.
bool addGiven(uint8_t kind, std::string data);

} // namespace farside
