// Sorts three million numbers three ways: quicksort and heapsort written here, and std::sort.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

using Numbers = std::vector<std::uint32_t>;

void quicksort(std::uint32_t *first, std::uint32_t *last) {
  while (last - first > 24) {
    std::uint32_t *middle = first + (last - first) / 2;
    if (*middle < *first)
      std::swap(*middle, *first);
    if (last[-1] < *middle)
      std::swap(last[-1], *middle);
    if (*middle < *first)
      std::swap(*middle, *first);
    const std::uint32_t pivot = *middle;
    std::uint32_t *left = first;
    std::uint32_t *right = last - 1;
    while (left <= right) {
      while (*left < pivot)
        ++left;
      while (pivot < *right)
        --right;
      if (left <= right)
        std::swap(*left++, *right--);
    }
    // The shorter part by recursion, so that the stack stays small.
    if (right - first < last - left) {
      quicksort(first, right + 1);
      first = left;
    } else {
      quicksort(left, last);
      last = right + 1;
    }
  }
  for (std::uint32_t *place = first; place < last; ++place) {
    const std::uint32_t value = *place;
    std::uint32_t *hole = place;
    for (; hole > first && value < hole[-1]; --hole)
      *hole = hole[-1];
    *hole = value;
  }
}

void heapsort(Numbers &numbers) {
  const auto sink = [&numbers](std::size_t node, std::size_t size) {
    const std::uint32_t value = numbers[node];
    for (std::size_t child; (child = 2 * node + 1) < size; node = child) {
      if (child + 1 < size && numbers[child] < numbers[child + 1])
        ++child;
      if (numbers[child] <= value)
        break;
      numbers[node] = numbers[child];
    }
    numbers[node] = value;
  };
  for (std::size_t node = numbers.size() / 2; node-- > 0;)
    sink(node, numbers.size());
  for (std::size_t size = numbers.size(); size-- > 1;) {
    std::swap(numbers[0], numbers[size]);
    sink(0, size);
  }
}

int main() {
  Numbers numbers(3'000'000);
  std::uint32_t seed = 42;
  for (std::uint32_t &number : numbers) {
    seed = seed * 1664525u + 1013904223u;
    number = seed >> 4;
  }
  Numbers quick = numbers;
  Numbers heap = numbers;
  quicksort(quick.data(), quick.data() + quick.size());
  heapsort(heap);
  std::sort(numbers.begin(), numbers.end());

  const bool same = quick == numbers && heap == numbers;
  std::printf("%zu numbers sorted three ways: %s, the median is %u\n", numbers.size(),
              same ? "all agree" : "THEY DIFFER", numbers[numbers.size() / 2]);
  return same ? 0 : 1;
}
