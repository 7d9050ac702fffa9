// Images of one or three channels in the shared memory of kernels on tensor cores, for .cu files only.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/divisor.h"
#include "kernels/layers/conv2d/tensor_copy.h"
#include "kernels/layers/conv2d/tensor_tiles.h"

namespace sparsepush {

/// What the blocks of either pass are told of a layer.
struct FewChannelsLayer {
  static constexpr int kThreads = 32 * kTensorWarps;  ///< of a block
  static constexpr int kOutputs = 16;                 ///< that a block computes
  static constexpr int kBlocksTogether = 4;           ///< on a multiprocessor
  HaloTiles tiles;                                    ///< of outputs, which read the images
  int channels;                                       ///< of the output
  Divisor blocks;                                     ///< of kOutputs of these
  const float* input;                                 ///< [nodes * samples, in]
};

/// Copies what the tile that begins with `line` reads, and rounds it.
template <class Shape>
__device__ void load_images(const FewChannelsLayer& c, int node, int line, float* shared) {
  const HaloTiles& tiles = c.tiles;
  const float* source = c.input + static_cast<std::int64_t>(node) * tiles.samples() * tiles.source().size();
  for (int i = static_cast<int>(threadIdx.x); i < tiles.positions(line) * Shape::kChannels;
       i += FewChannelsLayer::kThreads) {
    const int position = i / Shape::kChannels, pixel = tiles.source_pixel(line, position);
    shared[i] = pixel < 0 ? 0.0f : round_to_tf32(source[pixel * Shape::kChannels + i - position * Shape::kChannels]);
  }
}

/// Returns the floats from the first of a pixel's terms to another; of one beyond the last, 0.
template <class Shape>
__device__ int place_of(const HaloTiles& tiles, int term) {
  const int channel = term / 9, tap = term - channel * 9;
  return term < Shape::kTerms ? tiles.tap(tap / 3, tap % 3) * Shape::kChannels + channel : 0;
}

/// Returns the floats of a block's images, `least` or more, so that what follows stands on 16 bytes.
template <class Shape>
int few_channels_halo(const HaloTiles& tiles, int least = 0) {
  return static_cast<int>(divide_up(std::max(tiles.positions() * Shape::kChannels, least), 4)) * 4;
}

}  // namespace sparsepush
