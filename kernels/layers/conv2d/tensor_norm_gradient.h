// What a convolution's block does to a tile of its input's gradient for the batch normalization before it; for .cu
// files only.
#pragma once
#include <cstdint>

#include "kernels/backend/global_memory.h"
#include "kernels/layers/conv2d/tensor_copy.h"
#include "kernels/layers/conv2d/tensor_moments.h"
#include "kernels/layers/norm_gradient.h"
#include "kernels/layers/norm_on_load.h"

namespace sparsepush {

/// A block's tile of the gradient.
struct NormGradientTile {
  int node, number;  ///< of the node's tiles
  int samples;       ///< of a node
  ImageShape image;
  int output;       ///< the first channel
  float scale;      ///< of what was added up
  float* gradient;  ///< [nodes * samples, image] written
  float* of_warps;  ///< [kTensorWarps, NormGradientSums::kNumbers, outputs] in shared memory
};

/// Returns how many elements behind the node's first one, in the array that a later shortcut leads to, the gradient
/// stands that comes to channel `channel` of a pixel, two channels at a time; -1: none does.
__device__ inline int shortcut_place(const ImageShape& ours, const ImageShape& theirs, const HaloTiles::Pixel& at,
                                     int channel) {
  if (ours == theirs) return ((at.sample * ours.height + at.y) * ours.width + at.x) * ours.channels + channel;
  if (at.y % 2 == 1 || at.x % 2 == 1) return -1;
  return ((at.sample * theirs.height + at.y / 2) * theirs.width + at.x / 2) * theirs.channels + ours.channels / 2 +
         channel;
}

/// Where the pixels stand that a lane has, and what comes to them through a shortcut; -1: nowhere.
template <int kTiles>
struct PixelPlaces {
  int gradient[kTiles][2];  ///< behind the node's first element
  int shortcut[kTiles][2];

  template <class PixelOf>
  __device__ PixelPlaces(const NormGradient& norm, const NormGradientTile& tile, int channel, const PixelOf& pixel_of) {
    for (int m = 0; m < kTiles; ++m)
      for (int high = 0; high < 2; ++high) {
        const HaloTiles::Pixel at = pixel_of(m, high);
        gradient[m][high] = shortcut[m][high] = -1;
        if (at.sample < 0) continue;
        gradient[m][high] = ((at.sample * tile.image.height + at.y) * tile.image.width + at.x) * tile.image.channels;
        if (norm.skip_gradient.data != nullptr)
          shortcut[m][high] = shortcut_place(tile.image, norm.skip_shape, at, channel);
      }
  }
};

/// What a lane needs of its two channels: `mean` of the normalization's input, and what made its output, if that is not
/// stored.
struct PairNorm {
  float mean[2];
  ChannelNorm norm[2];

  __device__ PairNorm(const NormGradient& gradient, int node, int channel, int channels) {
    for (int i = 0; i < 2; ++i) {
      mean[i] = gradient.saved.row(node)[channel + i];
      norm[i] = {};
      if (gradient.output.data != nullptr || !gradient.relu) continue;
      const float* of_channel = gradient.terms.row(node) + channel + i;
      norm[i] = {of_channel[0], of_channel[channels], of_channel[2 * channels]};
    }
  }
  __device__ Pair normalized(const Pair& x) const {
    Pair h;
    for (int i = 0; i < 2; ++i) h.lane[i] = norm[i].normalized(x.lane[i], 0.0f);
    return h;
  }
};

/// Adds up the warps' sums of a tile, in order and in double, and writes them: a thread per sum and channel.
template <int kOutputs>
__device__ void store_gradient_sums(const NormGradient& norm, const NormGradientTile& tile) {
  constexpr int kSums = NormGradientSums::kNumbers * kOutputs;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread >= kSums) return;
  double total = 0;
  for (int warp = 0; warp < kTensorWarps; ++warp) total += tile.of_warps[warp * kSums + thread];
  const int sum = tile.number * NormGradientSums::kNumbers + thread / kOutputs;
  norm.sums.sums.row(tile.node)[sum * tile.image.channels + tile.output + thread % kOutputs] = total;
}

/// Writes a tile of the gradient, and the sums of it. Lane 4 g + t has two channels of the pixels that pixel_of(m,
/// high) names, 2 t and 2 t + 1 of every eight, as in sum_warp; a sample of -1: there is no such pixel. Sums are in
/// fp32 over the warp's 64 pixels at most. The whole block calls it, and meets a barrier before it does so again.
template <int kTiles, int kColumns, class PixelOf>
__device__ void store_norm_gradient(const NormGradient& norm, const NormGradientTile& tile,
                                    const float (&value)[kTiles][kColumns][4], const PixelOf& pixel_of) {
  constexpr int kOutputs = 8 * kColumns;
  const int thread = static_cast<int>(threadIdx.x), g = thread % 32 / 4, t = thread % 4, channels = tile.image.channels;
  const std::int64_t sample = static_cast<std::int64_t>(tile.node) * tile.samples;
  const std::int64_t first = sample * tile.image.size() + tile.output + 2 * t;
  const PixelPlaces<kTiles> places(norm, tile, tile.output + 2 * t, pixel_of);
  for_each_constant<0, kColumns>([&](auto column) {
    constexpr int n = decltype(column)::value;
    const int channel = tile.output + 8 * n + 2 * t;
    const PairNorm of_pair(norm, tile.node, channel, channels);
    float sum[2] = {}, product[2] = {};
    for_each_constant<0, 2 * kTiles>([&](auto pixel) {
      constexpr int m = decltype(pixel)::value / 2, high = decltype(pixel)::value % 2;
      if (places.gradient[m][high] < 0) return;
      const std::int64_t element = first + places.gradient[m][high] + 8 * n;
      Pair gradient{{value[m][n][2 * high] * tile.scale, value[m][n][2 * high + 1] * tile.scale}};
      if (places.shortcut[m][high] >= 0) {
        const Pair added = read_pair(norm.skip_gradient.row(sample) + places.shortcut[m][high] + 8 * n);
        for (int i = 0; i < 2; ++i) gradient.lane[i] += added.lane[i];
      }
      const Pair x = read_pair(norm.input.data + element);
      if (norm.relu) {
        const Pair output = norm.output.data != nullptr ? read_pair(norm.output.data + element) : of_pair.normalized(x);
        for (int i = 0; i < 2; ++i) gradient.lane[i] = output.lane[i] <= 0.0f ? 0.0f : gradient.lane[i];
      }
      write_pair(gradient, tile.gradient + element);
      for (int i = 0; i < 2; ++i) {
        sum[i] += gradient.lane[i];
        product[i] += gradient.lane[i] * (x.lane[i] - of_pair.mean[i]);
      }
    });
    float* const of_warp = tile.of_warps + thread / 32 * NormGradientSums::kNumbers * kOutputs + 8 * n + 2 * t;
    for (int i = 0; i < 2; ++i) {
      const float all = sum_over_pixels(sum[i]), all_products = sum_over_pixels(product[i]);
      if (g != 0) continue;
      of_warp[i] = all;
      of_warp[kOutputs + i] = all_products;
    }
  });
  __syncthreads();
  store_gradient_sums<kOutputs>(norm, tile);
}

}  // namespace sparsepush
