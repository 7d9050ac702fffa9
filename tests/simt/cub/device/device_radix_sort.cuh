// Stands in for CUB's header of the same name, as far as our code uses it.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace cub {

struct DeviceRadixSort {
  /// Without `memory`, tells how many bytes of it are wanted.
  template <class Key, class Value>
  static cudaError_t SortPairs(void* memory, std::size_t& bytes, const Key* keys, Key* sorted_keys, const Value* values,
                               Value* sorted_values, std::int64_t count, int begin_bit, int end_bit, cudaStream_t) {
    if (memory == nullptr) {
      bytes = 1;
      return cudaSuccess;
    }
    simt::enqueue([=] {
      const Key mask = static_cast<Key>((std::uint64_t{1} << (end_bit - begin_bit)) - 1);
      const auto digits = [&](std::int64_t i) { return keys[i] >> begin_bit & mask; };
      std::vector<std::int64_t> order(count);
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, {}, digits);
      for (std::int64_t i = 0; i < count; ++i) {
        sorted_keys[i] = keys[order[i]];
        sorted_values[i] = values[order[i]];
      }
    });
    return cudaSuccess;
  }
};

}  // namespace cub
