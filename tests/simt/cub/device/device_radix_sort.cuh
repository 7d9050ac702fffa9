// Stands in for CUB's header of the same name: sorts pairs as its device algorithm does.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

namespace cub {

struct DeviceRadixSort {
  /// Sorts stably by the key bits [begin_bit, end_bit). Without `temp` it only tells how many bytes that must have.
  template <class Key, class Value, class Count>
  static cudaError_t SortPairs(void* temp, std::size_t& temp_bytes, const Key* keys, Key* sorted_keys,
                               const Value* values, Value* sorted_values, Count count, int begin_bit, int end_bit,
                               cudaStream_t stream) {
    static_assert(std::is_same_v<Key, std::int32_t>, "simt: keys of this type are not simulated");
    const auto pairs = static_cast<std::size_t>(count);
    const std::size_t needed = pairs * (sizeof(Key) + sizeof(Value)) + 256;  // about as many as CUB
    if (temp == nullptr) {
      temp_bytes = needed;
      return cudaSuccess;
    }
    if (begin_bit < 0 || end_bit <= begin_bit || end_bit > 31)  // the sign has an order of its own
      throw simt::Error("simt: bits " + std::to_string(begin_bit) + " to " + std::to_string(end_bit) + " of a key");
    if (temp_bytes < needed) throw simt::Error("simt: too few bytes to sort in");
    const std::array arrays = {Bytes{temp, temp_bytes}, Bytes{keys, pairs * sizeof(Key)},
                               Bytes{sorted_keys, pairs * sizeof(Key)}, Bytes{values, pairs * sizeof(Value)},
                               Bytes{sorted_values, pairs * sizeof(Value)}};
    for (std::size_t i = 0; i < arrays.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (overlap(arrays[i], arrays[j])) throw simt::Error("simt: pairs, sorted pairs and temporary memory overlap");
    const Key mask = static_cast<Key>((std::uint32_t{1} << (end_bit - begin_bit)) - 1);
    simt::enqueue(stream, [=] {
      std::memset(temp, 0xff, needed);
      std::vector<std::size_t> order(pairs);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::ranges::stable_sort(order, {}, [&](std::size_t i) { return keys[i] >> begin_bit & mask; });
      for (std::size_t i = 0; i < pairs; ++i) {
        sorted_keys[i] = keys[order[i]];
        sorted_values[i] = values[order[i]];
      }
    });
    return cudaSuccess;
  }

 private:
  struct Bytes {
    const void* begin;
    std::size_t count;
    const unsigned char* end() const { return static_cast<const unsigned char*>(begin) + count; }
  };
  static bool overlap(const Bytes& a, const Bytes& b) {
    const std::less<const void*> before;
    return before(a.begin, b.end()) && before(b.begin, a.end());
  }
};

}  // namespace cub
