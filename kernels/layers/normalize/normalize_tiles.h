// What the kernels of both directions of normalization share, for .cu files only.
#pragma once
#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/layers/channel_vector.h"
#include "kernels/layers/normalize/normalize_plan.h"

namespace sparsepush {

/// One block's part of an instance.
struct NormTile {
  std::int64_t instance;  ///< of all nodes'
  std::int64_t number;    ///< in the instance
  int first_channel;
};

constexpr std::int64_t count_tiles(const NormPlan& plan, std::int64_t nodes) {
  return nodes * plan.groups.instances * plan.tiles * plan.channel_tiles;
}

/// Calls body(tile) for all tiles of all nodes, a block each, in strides of the grid.
template <class Body>
__device__ void for_each_norm_tile(const NormPlan& plan, std::int64_t nodes, const Body& body) {
  for (std::int64_t i = blockIdx.x; i < count_tiles(plan, nodes); i += gridDim.x) {
    const std::int64_t column = i / plan.channel_tiles;
    body(NormTile{.instance = column / plan.tiles,
                  .number = column % plan.tiles,
                  .first_channel = static_cast<int>(i % plan.channel_tiles) * plan.tile_channels});
  }
}

/// Where a thread works in a tile.
template <int kFloats>
struct TileThread {
  int row, channel;  ///< the first of kFloats channels
  bool works;

  __device__ TileThread(const NormPlan& plan, const NormTile& tile) {
    const int across = plan.tile_channels / kFloats, thread = static_cast<int>(threadIdx.x);
    row = thread / across;
    channel = tile.first_channel + thread % across * kFloats;
    works = row < plan.rows && channel < plan.channels;
  }

  /// Calls body(pixel of all nodes' samples, its element at the thread's first channel) for the thread's pixels.
  template <class Body>
  __device__ void for_each_pixel(const NormPlan& plan, const NormTile& tile, const Body& body) const {
    if (!works) return;
    const std::int64_t first = tile.number * plan.tile_pixels() + row, before = tile.instance * plan.groups.pixels;
    for (int i = 0; i < NormPlan::kPixels; ++i) {
      const std::int64_t pixel = first + i * plan.rows;
      if (pixel < plan.groups.pixels) body(before + pixel, (before + pixel) * plan.channels + channel);
    }
  }
};

/// Adds every thread's `sum` to those of the other rows, in order and in double, and writes the tile's sums to `to`
/// [kSums, channels]. The whole block calls it.
template <int kSums, int kFloats>
__device__ void write_tile_sums(const NormPlan& plan, const NormTile& tile, const ChannelVector<kFloats> (&sum)[kSums],
                                double* to) {
  const TileThread<kFloats> thread(plan, tile);
  const int width = plan.tile_channels;
  float* of_thread = dynamic_shared<float>();  // [kSums, rows, tile_channels]
  if (thread.works)
    for (int s = 0; s < kSums; ++s)
      store_channels(sum[s], of_thread + (s * plan.rows + thread.row) * width + thread.channel - tile.first_channel);
  __syncthreads();
  for (int i = threadIdx.x; i < kSums * width; i += NormPlan::kThreads) {
    const int s = i / width, channel = tile.first_channel + i % width;
    if (channel >= plan.channels) continue;
    double total = 0;
    for (int row = 0; row < plan.rows; ++row) total += of_thread[(s * plan.rows + row) * width + i % width];
    to[s * plan.channels + channel] = total;
  }
  __syncthreads();  // the next tile's sums take the same memory
}

/// Returns how many bytes of shared memory write_tile_sums needs.
constexpr std::size_t tile_sums_bytes(const NormPlan& plan, int sums) {
  return sizeof(float) * sums * plan.rows * plan.tile_channels;
}

/// Adds up [tiles, count] sums over the tiles in a fixed order, and leaves them in the first tile's place. The whole
/// block calls it: its threads take neighbouring sums, and rows of threads the tiles in turn. Needs kTotalBytes of
/// dynamic shared memory.
__device__ inline void add_tiles(std::int64_t tiles, int count, double* sums) {
  double* of_thread = dynamic_shared<double>();
  const int across = std::min(count, static_cast<int>(blockDim.x)), rows = static_cast<int>(blockDim.x) / across;
  const int row = static_cast<int>(threadIdx.x) / across;
  for (int first = 0; first < count; first += across) {
    const int i = first + static_cast<int>(threadIdx.x) % across;
    double sum = 0;
    if (i < count)
      for (std::int64_t tile = row; tile < tiles; tile += rows) sum += sums[tile * count + i];
    of_thread[threadIdx.x] = sum;
    __syncthreads();
    if (row == 0 && i < count) {
      for (int r = 1; r < rows; ++r) sum += of_thread[r * across + threadIdx.x];
      sums[i] = sum;
    }
    __syncthreads();
  }
}
constexpr std::size_t kTotalBytes = NormPlan::kThreads * sizeof(double);

/// Returns how many threads of a warp take a group's channels in turn: a power of 2.
constexpr int threads_of_group(int group_channels) {
  int threads = 1;
  while (threads < group_channels && threads < 32) threads *= 2;
  return threads;
}

/// Calls body(group, its first channel, its channels, whether this thread writes) for all groups; the whole block does,
/// some of its threads with a group of no channels.
template <class Body>
__device__ void for_each_group(const NormPlan& plan, const Body& body) {
  const int width = plan.group_channels(), threads = threads_of_group(width), number = static_cast<int>(threadIdx.x);
  for (int first = 0; first < plan.groups.groups; first += NormPlan::kThreads / threads) {
    const int group = first + number / threads;
    const bool exists = group < plan.groups.groups;
    body(group, group * width, exists ? width : 0, exists && number % threads == 0);
  }
}

/// Sums term(channel) over the `count` channels of a group from `first` on, in a fixed order. All threads of the warp
/// call it, and those of a group receive the same.
template <class Term>
__device__ double sum_of_group(const NormPlan& plan, int first, int count, const Term& term) {
  const int threads = threads_of_group(plan.group_channels());
  double sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % threads; c < count; c += threads) sum += term(first + c);
  for (int bits = threads / 2; bits > 0; bits /= 2) sum += __shfl_xor_sync(~0u, sum, bits);
  return sum;
}

/// What stands of an instance of all nodes' in a node's arrays.
struct NormInstance {
  std::int64_t node;
  int number;  ///< in the node

  __device__ NormInstance(const NormPlan& plan, std::int64_t instance)
      : node(instance / plan.groups.instances), number(static_cast<int>(instance % plan.groups.instances)) {}

  /// Returns its sums, [tiles, sums, channels].
  __device__ double* sums(const NormPlan& plan, MatrixView<double> scratch) const {
    return scratch.row(node) + number * plan.instance_sums();
  }
  /// Returns the two terms of a group.
  __device__ double* terms(const NormPlan& plan, MatrixView<double> scratch, int group) const {
    return scratch.row(node) + plan.first_terms() + (std::int64_t{number} * plan.groups.groups + group) * 2;
  }
  /// Returns where the mean is saved, and as much further on what the deviation is multiplied by.
  __device__ std::int64_t saved_mean(const NormPlan& plan, int group) const {
    return std::int64_t{number} * plan.groups.groups + group;
  }
  __device__ std::int64_t saved_inverse(const NormPlan& plan, int group) const {
    return saved_mean(plan, group) + std::int64_t{plan.groups.instances} * plan.groups.groups;
  }
};

/// A pixel of all nodes' samples of images of one shape.
struct PixelPlace {
  std::int64_t sample;
  int y, x;

  __device__ PixelPlace(const ImageShape& shape, std::int64_t pixel) : sample(pixel / shape.pixels()) {
    const int in_image = static_cast<int>(pixel % shape.pixels());
    y = in_image / shape.width;
    x = in_image % shape.width;
  }
};

inline void check_scratch(const NormalizeLayer& layer, MatrixView<const float> x, MatrixView<const float> input,
                          MatrixView<const double> scratch) {
  const std::int64_t needed = layer.scratch(input.rows / x.rows);
  CHECK(needed == 0 || (scratch.rows == x.rows && scratch.cols >= needed), "scratch ", scratch, ", needed ", needed,
        ", x ", x);
}

/// Returns a shape with a block per tile, or per instance.
inline LaunchShape norm_tiles_shape(const Cuda& gpu, const NormPlan& plan, std::int64_t nodes, int sums) {
  return {.blocks = blocks_for(gpu, count_tiles(plan, nodes)),
          .threads = NormPlan::kThreads,
          .shared_bytes = tile_sums_bytes(plan, sums)};
}
inline LaunchShape norm_instances_shape(const Cuda& gpu, const NormPlan& plan, std::int64_t nodes) {
  return {.blocks = blocks_for(gpu, nodes * plan.groups.instances),
          .threads = NormPlan::kThreads,
          .shared_bytes = kTotalBytes};
}

}  // namespace sparsepush
