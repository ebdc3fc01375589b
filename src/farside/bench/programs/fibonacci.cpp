// Computes Fibonacci numbers by plain recursion, which is nothing but calls.
#include <cstdint>
#include <cstdio>

std::uint64_t fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

int main() {
  std::uint64_t sum = 0;
  for (unsigned n = 0; n <= 41; ++n)
    sum += fibonacci(n);
  std::printf("the Fibonacci numbers up to the 41st add up to %llu\n",
              static_cast<unsigned long long>(sum));
  return sum == 433494436 ? 0 : 1;
}
