// Stands in for CUB's header of the same name: sorts keys as its device algorithm does.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>

namespace cub {

struct DeviceRadixSort {
  /// Sorts stably by the key bits [begin_bit, end_bit). Without `temp` it only tells how many bytes that must have.
  template <class Key, class Count>
  static cudaError_t SortKeys(void* temp, std::size_t& temp_bytes, const Key* in, Key* out, Count count,
                              int begin_bit = 0, int end_bit = 8 * sizeof(Key), cudaStream_t = nullptr) {
    static_assert(std::is_same_v<Key, std::uint32_t> || std::is_same_v<Key, std::uint64_t>,
                  "simt: keys of this type are not simulated");
    const auto keys = static_cast<std::size_t>(count);
    const std::size_t needed = keys * sizeof(Key) + 256;  // about as many as CUB
    if (temp == nullptr) {
      temp_bytes = needed;
      return cudaSuccess;
    }
    if (begin_bit < 0 || end_bit < begin_bit || end_bit > static_cast<int>(8 * sizeof(Key)))
      throw simt::Error("simt: bits " + std::to_string(begin_bit) + " to " + std::to_string(end_bit) + " of a key");
    if (temp_bytes < needed) throw simt::Error("simt: too few bytes to sort in");
    if (overlap(in, out, keys * sizeof(Key), keys * sizeof(Key)) ||
        overlap(temp, out, temp_bytes, keys * sizeof(Key)) || overlap(temp, in, temp_bytes, keys * sizeof(Key)))
      throw simt::Error("simt: keys, sorted keys and temporary memory overlap");
    const auto width = static_cast<unsigned>(end_bit - begin_bit);
    const Key mask = width == 8 * sizeof(Key) ? ~Key{0} : (Key{1} << width) - 1;
    simt::enqueue([=] {
      std::memset(temp, 0xff, needed);
      std::copy_n(in, keys, out);
      if (width > 0)
        std::stable_sort(out, out + keys,
                         [=](Key a, Key b) { return (a >> begin_bit & mask) < (b >> begin_bit & mask); });
    });
    return cudaSuccess;
  }

 private:
  static bool overlap(const void* a, const void* b, std::size_t a_bytes, std::size_t b_bytes) {
    const auto from = [](const void* p, std::size_t bytes) { return static_cast<const unsigned char*>(p) + bytes; };
    const std::less<> before;
    return before(a, from(b, b_bytes)) && before(b, from(a, a_bytes));
  }
};

}  // namespace cub
