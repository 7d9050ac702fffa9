// What a convolution leaves of its outputs for the batch normalization behind it.
#pragma once
#include <cstdint>

#include "kernels/backend/view.h"

namespace sparsepush {

/// Sums over some pixels of a channel: of differences to a pivot, and of the squares of these.
struct PivotSums {
  double pivot = 0, sum = 0, square = 0;

  /// Adds those of `pixels` other pixels, which are about a pivot of their own.
  constexpr void add(const PivotSums& other, double pixels) {
    const double shift = other.pivot - pivot, moved = pixels * shift;
    sum += other.sum + moved;
    square += other.square + shift * (2 * other.sum + moved);
  }
};

/// Tiles of `pixels` pixels of a node's samples, the last of which may have fewer; none: nobody sums tile by tile.
struct MomentTiles {
  static constexpr int kNumbers = 3;  ///< of a channel: what PivotSums says, in that order

  int count = 0, pixels = 0;

  /// Counts the doubles of a node, [count, kNumbers, channels].
  constexpr std::int64_t doubles(int channels) const { return std::int64_t{kNumbers} * count * channels; }
};

/// Sums of the tiles of all nodes, to be read.
struct TileMoments {
  MatrixView<const double> sums = {};  ///< [nodes, >= tiles.doubles(channels)]; no data: there are none
  MomentTiles tiles = {};
};

}  // namespace sparsepush
