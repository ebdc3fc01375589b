// Counts the primes below 100 million with a segmented sieve and adds up the last thousand of them.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

constexpr std::uint64_t kLimit = 100'000'000;
constexpr std::uint64_t kSegment = 1 << 18;

std::vector<std::uint32_t> small_primes(std::uint64_t limit) {
  std::vector<bool> composite(limit + 1);
  std::vector<std::uint32_t> primes;
  for (std::uint64_t n = 2; n <= limit; ++n) {
    if (composite[n])
      continue;
    primes.push_back(static_cast<std::uint32_t>(n));
    for (std::uint64_t multiple = n * n; multiple <= limit; multiple += n)
      composite[multiple] = true;
  }
  return primes;
}

} // namespace

int main() {
  std::uint64_t root = 1;
  while (root * root < kLimit)
    ++root;
  const std::vector<std::uint32_t> primes = small_primes(root);
  std::vector<std::uint64_t> next;
  for (std::uint64_t prime : primes)
    next.push_back(prime * prime);

  std::uint64_t count = 0;
  std::vector<std::uint64_t> last(1000);
  std::vector<unsigned char> composite(kSegment);
  for (std::uint64_t low = 0; low < kLimit; low += kSegment) {
    std::fill(composite.begin(), composite.end(), static_cast<unsigned char>(0));
    const std::uint64_t high = std::min(low + kSegment, kLimit);
    for (std::size_t i = 0; i < primes.size(); ++i) {
      for (; next[i] < high; next[i] += primes[i])
        composite[next[i] - low] = 1;
    }
    for (std::uint64_t n = std::max<std::uint64_t>(low, 2); n < high; ++n) {
      if (composite[n - low] == 0)
        last[count++ % last.size()] = n;
    }
  }
  std::uint64_t sum = 0;
  for (std::uint64_t prime : last)
    sum += prime;
  std::printf("%llu primes below %llu, the last thousand add up to %llu\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(kLimit),
              static_cast<unsigned long long>(sum));
  return count == 5761455 ? 0 : 1;
}
