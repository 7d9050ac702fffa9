// Sums of what a convolution's block has computed, for the batch normalization behind it; for .cu files only.
#pragma once
#include <cstdint>

#include "kernels/layers/conv2d/tensor_tiles.h"

namespace sparsepush {

/// Where a block leaves the sums of one tile and its channels.
struct MomentPlace {
  float* of_warps;  ///< [kTensorWarps, MomentTiles::kNumbers, outputs] in shared memory
  double* to;       ///< [MomentTiles::kNumbers, channels], of the block's first channel
  int channels;     ///< of the layer
};

/// Adds up a value over the lanes 4 g + t of equal t; each receives the same.
__device__ inline float sum_over_pixels(float value) {
  for (int bits = 4; bits < 32; bits *= 2) value += __shfl_xor_sync(~0u, value, bits);
  return value;
}

/// Sums a warp's `live` pixels, the first of its own: pixel 16 m + 8 high + g of channel 8 n + 2 t + i is value[m][n][2
/// high + i] of lane 4 g + t. The pivot is the mean of the first eight, where there are fewer with the first in place
/// of the others: of equal ones exactly their value, and so near the mean of all that the sums lose nothing. The whole
/// warp calls it.
template <int kTiles, int kColumns>
__device__ void sum_warp(const float (&value)[kTiles][kColumns][4], int live, float* of_warp) {
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4, outputs = 8 * kColumns;
  for (int n = 0; n < kColumns; ++n)
    for (int i = 0; i < 2; ++i) {
      const float first = __shfl_sync(~0u, value[0][n][i], t);
      const float pivot = sum_over_pixels(0.125f * (g < live ? value[0][n][i] : first));
      float sum = 0, square = 0;
      for (int m = 0; m < kTiles; ++m)
        for (int high = 0; high < 2; ++high) {
          const float difference = value[m][n][2 * high + i] - pivot;
          if (16 * m + 8 * high + g >= live) continue;
          sum += difference;
          square += difference * difference;
        }
      sum = sum_over_pixels(sum);
      square = sum_over_pixels(square);
      if (g != 0) continue;
      float* const to = of_warp + 8 * n + 2 * t + i;
      to[0] = pivot;
      to[outputs] = sum;
      to[2 * outputs] = square;
    }
}

/// Adds up the warps' sums of a tile of `pixels` pixels, in order and in double, and writes them: a thread per channel.
template <int kOutputs>
__device__ void store_moments(const MomentPlace& place, int pixels, int warp_pixels) {
  const int channel = static_cast<int>(threadIdx.x);
  if (channel >= kOutputs) return;
  PivotSums all;
  for (int warp = 0; warp * warp_pixels < pixels; ++warp) {
    const float* of_warp = place.of_warps + warp * MomentTiles::kNumbers * kOutputs + channel;
    const int left = pixels - warp * warp_pixels;
    if (warp == 0) all.pivot = of_warp[0];
    all.add({of_warp[0], of_warp[kOutputs], of_warp[2 * kOutputs]}, left < warp_pixels ? left : warp_pixels);
  }
  place.to[channel] = all.pivot;
  place.to[place.channels + channel] = all.sum;
  place.to[2 * place.channels + channel] = all.square;
}

/// Leaves the sums of a tile of `pixels` pixels, of which a warp has 16 kTiles. The whole block calls it, and meets a
/// barrier before it does so again.
template <int kTiles, int kColumns>
__device__ void leave_moments(const MomentPlace& place, int pixels, const float (&value)[kTiles][kColumns][4]) {
  constexpr int kOutputs = 8 * kColumns;
  const int warp = static_cast<int>(threadIdx.x) / 32, left = pixels - warp * 16 * kTiles;
  if (left > 0) sum_warp(value, left, place.of_warps + warp * MomentTiles::kNumbers * kOutputs);
  __syncthreads();
  store_moments<kOutputs>(place, pixels, 16 * kTiles);
}

}  // namespace sparsepush
