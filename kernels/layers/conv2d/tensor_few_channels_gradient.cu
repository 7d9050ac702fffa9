#include <cstdint>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/layers/conv2d/gradient_ranges.h"
#include "kernels/layers/conv2d/tensor_few_channels.h"
#include "kernels/layers/conv2d/tensor_few_channels_images.h"
#include "kernels/layers/conv2d/tensor_sums.h"

namespace sparsepush {
namespace {

constexpr int kThreads = FewChannelsLayer::kThreads, kWarps = kThreads / 32, kOutputs = FewChannelsLayer::kOutputs;
constexpr int kFloatBytes = sizeof(float);

struct FewChannelsGradient {
  FewChannelsLayer layer;
  int halo;                      ///< floats of shared memory before the outputs' gradients
  int ranges, length;            ///< of a node's tiles; tiles of each, the last one may have fewer
  int items;                     ///< blocks of all nodes and ranges
  const float* output_gradient;  ///< [nodes * samples, out]
  float* sums;                   ///< where the weights' gradients of node 0, range 0 go
  std::int64_t node_pitch;       ///< floats to the next node
};

constexpr int kGradientPixels = 128, kGradientPitch = kOutputs + 8;
static_assert(meets_all_banks(1, kGradientPitch));

/// The outputs and the tiles of one block's sums.
struct GradientItem {
  int node, range;
  int output;  ///< the first
  int first_tile, end_tile;
};

__device__ GradientItem gradient_item_at(const FewChannelsGradient& c, int number) {
  const int node_and_range = c.layer.blocks.divide(number), node = node_and_range / c.ranges;
  const int range = node_and_range - node * c.ranges, tiles = c.layer.tiles.count();
  return {.node = node,
          .range = range,
          .output = (number - node_and_range * c.layer.blocks.value()) * kOutputs,
          .first_tile = range * c.length,
          .end_tile = (range + 1) * c.length < tiles ? (range + 1) * c.length : tiles};
}

/// A tile in shared memory: the images, the outputs' gradients, and where in the images the outputs' first terms are.
struct GradientBuffer {
  float *images, *gradients;
  int* first;

  __device__ explicit GradientBuffer(const FewChannelsGradient& c)
      : images(dynamic_shared<float>()),
        gradients(images + c.halo),
        first(reinterpret_cast<int*>(gradients + kGradientPixels * kGradientPitch)) {}
};

/// Copies the tile that begins with `line`, and rounds it. Outputs beyond the last are zeros.
template <class Shape>
__device__ void load_tile(const FewChannelsGradient& c, const GradientItem& item, int line,
                          const GradientBuffer& buffer) {
  const FewChannelsLayer& layer = c.layer;
  const HaloTiles& tiles = layer.tiles;
  const int pixels = tiles.pixels(line), all_pixels = tiles.lines() * tiles.width();
  const float* from =
      c.output_gradient +
      (static_cast<std::int64_t>(item.node) * tiles.samples() * tiles.image_pixels() + line * tiles.width()) *
          layer.channels +
      item.output;
  load_images<Shape>(layer, item.node, line, buffer.images);
  for_each_quad<kOutputs / 4>(all_pixels, [&](int pixel, int channel) {
    Quad quad = {};
    if (pixel < pixels) quad = load_quad(from + pixel * layer.channels + channel, 0);
    for (float& value : quad.lane) value = round_to_tf32(value);
    store_quad(quad, buffer.gradients + pixel * kGradientPitch + channel, 0);
  });
  for (int pixel = static_cast<int>(threadIdx.x); pixel < all_pixels; pixel += kThreads)
    buffer.first[pixel] = tiles.position(line, pixel) * Shape::kChannels;
}

/// A lane's sums: see multiply_add_tf32, whose rows are outputs and whose columns are terms.
template <class Shape>
using GradientSums = float[Shape::kEights][4];

/// Adds the products of a tile's pixels, eight at a time. place: where a lane's terms are behind a pixel's first, eight
/// by eight.
template <class Shape>
__device__ void multiply_pixels(int pixels, const int (&place)[Shape::kEights], const GradientBuffer& buffer,
                                GradientSums<Shape>& sum) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int g = lane / 4, t = lane % 4;
  for (int eight = 8 * warp; eight < pixels; eight += 8 * kWarps) {
    const float* low = buffer.gradients + (eight + t) * kGradientPitch + g;
    const float* high = low + 4 * kGradientPitch;
    const float a[4] = {load_fragment(low), load_fragment(low + 8), load_fragment(high), load_fragment(high + 8)};
    const float* low_image = buffer.images + buffer.first[eight + t];
    const float* high_image = buffer.images + buffer.first[eight + t + 4];
    for (int n = 0; n < Shape::kEights; ++n) {
      const float b[2] = {load_fragment(low_image + place[n]), load_fragment(high_image + place[n])};
      multiply_add_tf32(sum[n], a, b);
    }
  }
}

/// Adds the warps' sums in order, in the place of the images, and writes them.
template <class Shape>
__device__ void store_weights(const FewChannelsGradient& c, const GradientItem& item, const GradientSums<Shape>& sum) {
  float* const sums = dynamic_shared<float>();
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int g = lane / 4, t = lane % 4;
  for (int turn = 0; turn < kWarps; ++turn) {
    if (warp == turn)
      for (int n = 0; n < Shape::kEights; ++n)
        for (int i = 0; i < 4; ++i) {
          float& all = sums[(g + i / 2 * 8) * Shape::kTermPitch + 8 * n + 2 * t + i % 2];
          all = turn == 0 ? sum[n][i] : all + sum[n][i];
        }
    __syncthreads();
  }
  float* to = c.sums + item.node * c.node_pitch +
              (static_cast<std::int64_t>(item.range) * c.layer.channels + item.output) * Shape::kTerms;
  for (int i = static_cast<int>(threadIdx.x); i < kOutputs * Shape::kTerms; i += kThreads) {
    const int out = i / Shape::kTerms;
    to[i] = sums[out * Shape::kTermPitch + i - out * Shape::kTerms];
  }
}

/// dW = dY^T * images, a product over pixels for each (node, range of tiles). A block per item and 16 outputs, in
/// strides of the grid; a warp has all terms, of every fourth eight of the pixels, and the warps' sums are added in
/// order.
template <class Shape>
__global__ void __launch_bounds__(kThreads, FewChannelsLayer::kBlocksTogether)
    few_channels_gradient_kernel(FewChannelsGradient c) {
  const HaloTiles& tiles = c.layer.tiles;
  const GradientBuffer buffer(c);
  int place[Shape::kEights];
  for (int eight = 0; eight < Shape::kEights; ++eight)
    place[eight] = place_of<Shape>(tiles, 8 * eight + static_cast<int>(threadIdx.x) % 32 / 4);

  for (int number = static_cast<int>(blockIdx.x); number < c.items; number += static_cast<int>(gridDim.x)) {
    const GradientItem item = gradient_item_at(c, number);
    GradientSums<Shape> sum = {};
    for (int tile = item.first_tile; tile < item.end_tile; ++tile) {
      const int line = tile * tiles.lines();
      load_tile<Shape>(c, item, line, buffer);
      __syncthreads();
      multiply_pixels<Shape>(tiles.pixels(line), place, buffer, sum);
      __syncthreads();  // before the next tile's images, or sums in their place
    }
    store_weights<Shape>(c, item, sum);
    __syncthreads();  // before the next item's images
  }
}

template <class Shape>
bool launch_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b, float* partial) {
  FewChannelsGradient c{.layer = {.tiles = few_channels_tiles<Shape>(layer, samples, kGradientPixels, 8),
                                  .channels = layer.out,
                                  .blocks = Divisor(layer.out / kOutputs),
                                  .input = b.input.data},
                        .halo = 0,
                        .ranges = 0,
                        .length = 0,
                        .items = 0,
                        .output_gradient = b.output_gradient.data,
                        .sums = nullptr,
                        .node_pitch = 0};
  const HaloTiles& tiles = c.layer.tiles;
  if (tiles.lines() == 0) return false;
  const int weights = layer.out * Shape::kTerms;
  c.halo = few_channels_halo<Shape>(tiles, kOutputs * Shape::kTermPitch);
  c.length = static_cast<int>(divide_up(tiles.count(), GradientRanges(layer, samples).count));
  c.ranges = static_cast<int>(divide_up(tiles.count(), c.length));
  const std::int64_t items = std::int64_t{b.x.rows} * c.ranges * c.layer.blocks.value();
  CHECK(items <= std::numeric_limits<int>::max(), "blocks of weights ", items);
  c.items = static_cast<int>(items);
  c.sums = c.ranges == 1 ? b.gradient.data + layer.weight : partial;
  c.node_pitch = c.ranges == 1 ? b.gradient.cols : std::int64_t{c.ranges} * weights;
  const int shared_bytes = kFloatBytes * (c.halo + kGradientPixels * (kGradientPitch + 1));
  launch(gpu,
         {.blocks = blocks_for(gpu, c.items, blocks_together(gpu, shared_bytes, FewChannelsLayer::kBlocksTogether)),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(shared_bytes)},
         few_channels_gradient_kernel<Shape>, c);
  if (c.ranges > 1)
    add_tensor_ranges(
        gpu,
        {.partial = partial, .gradient = b.gradient, .weight = layer.weight, .ranges = c.ranges, .weights = weights});
  if (layer.bias != Conv2dLayer::kNoBias) add_up_bias_gradient(gpu, layer, samples, b);
  return true;
}

}  // namespace

bool few_channels_parameter_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b,
                                     float* partial) {
  if (!is_on_quads(b.output_gradient.data) || !has_weights_on_quads(layer, b.gradient)) return false;
  return layer.in.channels == 1 ? launch_gradient<FewChannels<1>>(gpu, layer, samples, b, partial)
                                : launch_gradient<FewChannels<3>>(gpu, layer, samples, b, partial);
}

}  // namespace sparsepush
