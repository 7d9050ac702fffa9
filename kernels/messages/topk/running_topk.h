// The k largest magnitudes of a sequence, found while it passes by: the selection that all top-k ops of the Cpu share.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/float_bits.h"
#include "kernels/messages/topk/collect.h"

namespace sparsepush {

/// The k-th largest of some keys.
struct KthLargest {
  std::uint32_t threshold = 0;  ///< at least k keys reach it, and fewer than k reach any larger key that occurs
  std::int64_t at_least = 0;    ///< how many keys are >= threshold: more than k only where the k-th largest is tied
};

/// Finds the k-th largest key by bisection of the range of the keys: O(keys) per bit, without branches on data. 1 <= k
/// <= keys.size().
KthLargest kth_largest(std::span<const std::uint32_t> keys, std::int64_t k, VectorLevel level);

/// Elements come in order of position. Those below a growing threshold are dropped at once, the others are collected;
/// when the collection is full it is cut to its k largest and the threshold rises to what can still matter. So memory
/// is a small multiple of k, every element is looked at once, and the result is exact whatever the order of the values.
class RunningTopk {
 public:
  /// Makes room for at most `entries` entries of at most `size` elements.
  RunningTopk(std::int64_t entries, std::int64_t size, VectorLevel level);

  /// Starts a selection of `entries` elements of `row` among those with magnitude_key >= threshold.
  void start(const float* row, std::int64_t entries, std::uint32_t threshold);
  /// Looks at the positions [begin, end) of the row, taking their elements from `source` as `collect` does.
  template <class Source>
  void add(std::int64_t begin, std::int64_t end, const Source& source);
  /// Ends the selection. False if fewer than `entries` elements reached the starting threshold.
  bool finish();

  /// Returns the positions of the selected elements, increasing. Equal magnitudes keep the lower position.
  std::span<const std::int32_t> positions() const { return {position_.data(), static_cast<std::size_t>(entries_)}; }
  /// Returns a key that exactly the selected elements reach, or, with ties, the smallest selected one.
  std::uint32_t threshold() const { return threshold_; }
  /// Returns the largest magnitude bits of all elements since the start.
  std::uint32_t largest() const { return largest_; }

  static std::int64_t bytes(std::int64_t entries, std::int64_t size);

 private:
  static std::int64_t capacity(std::int64_t entries, std::int64_t size);
  void cut();
  /// Fills in the keys of the collected positions from number `first` on.
  void read_keys(std::int64_t first) {
    for (std::int64_t i = first; i < count_; ++i) key_[i] = magnitude_key(row_[position_[i]]);
  }

  VectorLevel level_;
  std::vector<std::int32_t> position_;  ///< [capacity]
  std::vector<std::uint32_t> key_;      ///< [capacity] of the collected positions
  const float* row_ = nullptr;
  std::int64_t count_ = 0;  ///< collected so far
  std::int64_t entries_ = 0;
  std::uint32_t threshold_ = 0, largest_ = 0;
};

template <class Source>
void RunningTopk::add(std::int64_t begin, std::int64_t end, const Source& source) {
  const std::int64_t room = static_cast<std::int64_t>(key_.size()) - kLongestTile - kCollectSlack;
  while (begin < end) {
    if (count_ > room) {
      cut();
      read_keys(0);
      ++threshold_;  // what follows loses against an equal magnitude
    }
    // From the second tile on at whole cache lines, wherever the row begins: vectors that cross lines cost double.
    const auto beyond_line =
        static_cast<std::int64_t>(std::bit_cast<std::uintptr_t>(row_ + begin) / sizeof(float) % kLineFloats);
    const RowTile tile{begin, std::min(begin + kLongestTile - beyond_line, end)};
    const CollectCount found = collect(tile, threshold_, position_.data() + count_, source, level_);
    count_ += found.collected;
    read_keys(count_ - found.collected);  // while they are in L1
    largest_ = std::max(largest_, found.largest);
    begin = tile.end;
  }
}

}  // namespace sparsepush
