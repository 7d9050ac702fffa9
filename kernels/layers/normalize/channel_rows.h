// Pixels of images taken together as rows: loops over a row fill vectors whatever the number of channels.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/backend/scratch_arrays.h"

namespace sparsepush {

/// How many pixels, one after the other, make a row.
struct ChannelRows {
  static constexpr int kFloats = 256;     ///< long enough to hide a loop's start, short enough for near memory
  static constexpr int kRowsAtOnce = 8;   ///< so that what one loop leaves is still near for the next
  static constexpr int kRowsPerSum = 64;  ///< that an fp32 sum is taken over

  explicit ChannelRows(int image_channels)
      : channels(image_channels),
        pixels(channels <= 16 ? kFloats / channels / 16 * 16 : std::max(1, kFloats / channels)) {}

  int length() const { return channels * pixels; }

  /// Makes the first pixel of `row` [length] all of them.
  void repeat_first_pixel(float* row) const {
    for (int p = 1; p < pixels; ++p) std::copy_n(row, channels, row + p * channels);
  }

  /// Calls body(first element, rows, elements a row) for tiles of `count` pixels; of the last row there may be less.
  template <class Body>
  void for_each_tile(std::int64_t count, const Body& body) const {
    const std::int64_t whole = count / pixels;
    for (std::int64_t row = 0; row < whole; row += kRowsAtOnce)
      body(row * length(), static_cast<int>(std::min<std::int64_t>(kRowsAtOnce, whole - row)), length());
    const int rest = static_cast<int>(count % pixels) * channels;
    if (rest > 0) body(whole * length(), 1, rest);
  }

  /// Does as for_each_tile, with the last tiles first: of what a loop in order has left in near memory, most is found
  /// there.
  template <class Body>
  void for_each_tile_backwards(std::int64_t count, const Body& body) const {
    const std::int64_t whole = count / pixels;
    const int rest = static_cast<int>(count % pixels) * channels;
    if (rest > 0) body(whole * length(), 1, rest);
    for (std::int64_t end = whole; end > 0; end -= kRowsAtOnce) {
      const std::int64_t row = std::max<std::int64_t>(0, end - kRowsAtOnce);
      body(row * length(), static_cast<int>(end - row), length());
    }
  }

  int channels, pixels;
};

/// Sums term(i) for i in [0, count) in a fixed order that fills vectors.
template <class Term>
double sum_in_lanes(int count, const Term& term) {
  constexpr int kLanes = 16;
  double lane[kLanes] = {}, sum = 0;
  int i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int k = 0; k < kLanes; ++k) lane[k] += term(i + k);
  if (i > 0)
    for (const double partial : lane) sum += partial;
  for (; i < count; ++i) sum += term(i);
  return sum;
}

/// Some sums over pixels for every channel: fp32 over at most kRowsPerSum pixels, from there in double.
class ChannelSums {
 public:
  ChannelSums(ChannelRows rows, int sums, ScratchArrays& scratch)
      : rows_(rows),
        sums_(sums),
        row_sums_(scratch.take<float>(std::int64_t{sums} * rows.length())),
        totals_(scratch.take<double>(std::int64_t{sums} * rows.channels)) {}
  /// Cache lines that it takes.
  static std::int64_t lines(ChannelRows rows, int sums) {
    return ScratchArrays::lines<float>(std::int64_t{sums} * rows.length()) +
           ScratchArrays::lines<double>(std::int64_t{sums} * rows.channels);
  }

  void reset() { std::fill_n(totals_, sums_ * rows_.channels, 0.0); }
  /// Returns [length of a row] fp32 sums, to be added to; `added` says how many rows were.
  float* row_sum(int sum) { return row_sums_ + sum * rows_.length(); }
  void added(int rows) {
    summed_ += rows;
    if (summed_ > ChannelRows::kRowsPerSum - ChannelRows::kRowsAtOnce) fold();
  }
  /// Returns the [channels] sums, once everything was added.
  const double* total(int sum) {
    if (summed_ > 0) fold();
    return totals_ + sum * rows_.channels;
  }

 private:
  void fold() {
    const int channels = rows_.channels;
    for (int s = 0; s < sums_; ++s)
      for (int p = 0; p < rows_.pixels; ++p) add_pixel(row_sum(s) + p * channels, channels, totals_ + s * channels);
    std::fill_n(row_sums_, sums_ * rows_.length(), 0.0f);
    summed_ = 0;
  }
  static void add_pixel(const float* __restrict pixel, int channels, double* __restrict total) {
    for (int c = 0; c < channels; ++c) total[c] += pixel[c];
  }

  ChannelRows rows_;
  int sums_;
  float* row_sums_;  ///< [sums, length of a row]
  double* totals_;   ///< [sums, channels]
  int summed_ = 0;   ///< rows in row_sums_
};

}  // namespace sparsepush
