// The k largest magnitudes of a sequence, found while it passes by: the selection that all top-k ops of the Cpu share.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/multiversion.h"

namespace sparsepush {

/// Where the k-th largest of some keys lies.
struct KthLargest {
  std::uint32_t threshold = 0;  ///< at least k keys are >= this, and fewer than k are >= the next key that occurs
  std::int64_t at_least = 0;    ///< how many keys are >= threshold; more than k only if the k-th largest is tied
};

/// By bisection of the range of the keys: O(keys) per bit, without branches on data. 1 <= k <= keys.size().
KthLargest kth_largest(std::span<const std::uint32_t> keys, std::int64_t k);

/// Elements come in order of position. Those below a growing threshold are dropped at once, the others are collected;
/// when the collection is full it is cut to its k largest and the threshold rises to what can still matter. So memory
/// is a small multiple of k, every element is looked at once, and the result is exact whatever the order of the values.
class RunningTopk {
 public:
  /// For at most `entries` entries of at most `size` elements.
  RunningTopk(std::int64_t entries, std::int64_t size);

  /// Starts a selection of `entries` elements among those with magnitude_key >= threshold.
  void start(std::int64_t entries, std::uint32_t threshold);
  /// Looks at v[i], 0 <= i < size, whose positions are first + i.
  void add(const float* v, std::int64_t first, std::int64_t size);
  /// Ends the selection. False if fewer than `entries` elements reached the starting threshold.
  bool finish();

  /// Of the selected elements, by increasing position. Equal magnitudes keep the lower position.
  std::span<const std::int32_t> positions() const { return {position_.data(), static_cast<std::size_t>(entries_)}; }
  /// A key that exactly the selected elements reach, or, with ties, the smallest selected one.
  std::uint32_t threshold() const { return threshold_; }

  static std::int64_t bytes(std::int64_t entries, std::int64_t size);

 private:
  void cut();

  std::vector<std::int32_t> position_;  ///< [capacity]
  std::vector<std::uint32_t> key_;      ///< [capacity]
  std::int64_t count_ = 0;              ///< collected so far
  std::int64_t entries_ = 0;
  std::uint32_t threshold_ = 0;
};

/// Where `collect` writes: parallel arrays with room for kCollectSlack more elements than are collected.
struct Collected {
  std::int32_t* position;
  std::uint32_t* key;
};
inline constexpr std::int64_t kCollectSlack = 16;

/// Writes positions first + i and keys of the elements v[i], 0 <= i < size, with magnitude_key >= threshold, in order.
/// Returns how many. Exposed so that a test can compare the levels.
std::int64_t collect(const float* v, std::int64_t first, std::int64_t size, std::uint32_t threshold, Collected to,
                     VectorLevel level = vector_level());

}  // namespace sparsepush
