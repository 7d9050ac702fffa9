#include <cstdint>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/global_memory.h"
#include "kernels/layers/conv2d/tensor_few_channels.h"
#include "kernels/layers/conv2d/tensor_few_channels_images.h"
#include "kernels/layers/conv2d/tensor_moments.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kThreads = FewChannelsLayer::kThreads, kOutputs = FewChannelsLayer::kOutputs;
constexpr int kFloatBytes = sizeof(float);
constexpr int kMoments = kTensorWarps * MomentTiles::kNumbers * kOutputs;  // floats, of sums of a tile by warps

/// Reads `term` of a pixel. The images begin with a column of zeros, which terms beyond the last read.
template <class Shape>
__device__ float load_term(const float* images, int place, int term) {
  return load_fragment(images + (term < Shape::kTerms ? place : 0));
}

struct FewChannelsForward {
  FewChannelsLayer layer;
  Divisor tile_count;  ///< a node
  int halo;            ///< floats of shared memory before the weights
  int items;           ///< tiles of all nodes and blocks
  MatrixView<const float> x;
  const double* u;
  std::int64_t weight, bias;
  float* output;               ///< [nodes * samples, image]
  MatrixView<double> moments;  ///< as in Conv2dForward
};

/// The tile and the outputs of one block's sums.
struct ForwardItem {
  int node, tile, line;
  int output;  ///< the first
};

__device__ ForwardItem forward_item_at(const FewChannelsForward& c, int number) {
  const FewChannelsLayer& layer = c.layer;
  const int block_of_node = c.tile_count.divide(number), node = layer.blocks.divide(block_of_node);
  const int tile = number - block_of_node * c.tile_count.value();
  return {.node = node,
          .tile = tile,
          .line = tile * layer.tiles.lines(),
          .output = (block_of_node - node * layer.blocks.value()) * kOutputs};
}

/// Copies the weights of the item's outputs behind the images, and rounds them.
template <class Shape>
__device__ void load_weights(const FewChannelsForward& c, const ForwardItem& item) {
  float* const weights = dynamic_shared<float>() + c.halo;
  const float* row = c.x.row(item.node);
  for (int i = static_cast<int>(threadIdx.x); i < kOutputs * 8 * Shape::kEights; i += kThreads) {
    const int out = i / (8 * Shape::kEights), term = i - out * (8 * Shape::kEights);
    const float* from = row + c.weight + (item.output + out) * Shape::kTerms;
    weights[out * Shape::kTermPitch + term] = term < Shape::kTerms ? round_to_tf32(from[term]) : 0.0f;
  }
}

/// A lane's sums: see multiply_add_tf32, whose rows are pixels and whose columns are outputs.
template <class Shape>
using ForwardSums = float[Shape::kForwardTiles][kOutputs / 8][4];
/// Where a lane's terms are behind the first of their pixel, eight by eight.
template <class Shape>
using TermPlaces = int[Shape::kEights][2];

/// Adds the products of the item's terms, eight at a time, from `first_pixel` of the tile on.
template <class Shape>
__device__ void multiply_terms(const FewChannelsForward& c, const ForwardItem& item, int first_pixel,
                               const TermPlaces<Shape>& place, ForwardSums<Shape>& sum) {
  const float* const images = dynamic_shared<float>();
  const float* const weights = images + c.halo;
  const HaloTiles& tiles = c.layer.tiles;
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4, pixels = tiles.pixels(item.line);
  int first[Shape::kForwardTiles][2];
  for (int m = 0; m < Shape::kForwardTiles; ++m)
    for (int high = 0; high < 2; ++high) {
      const int pixel = first_pixel + 16 * m + 8 * high + g;
      first[m][high] = pixel < pixels ? tiles.position(item.line, pixel) * Shape::kChannels : 0;
    }
  for_each_constant<0, Shape::kEights>([&](auto constant) {
    constexpr int kEight = decltype(constant)::value;
    float b[2][2];
    for (int n = 0; n < 2; ++n)
      for (int high = 0; high < 2; ++high)
        b[n][high] = load_fragment(weights + (8 * n + g) * Shape::kTermPitch + 8 * kEight + t + 4 * high);
    for (int m = 0; m < Shape::kForwardTiles; ++m) {
      float a[4];
      for (int i = 0; i < 4; ++i)
        a[i] = load_term<Shape>(images, first[m][i % 2] + place[kEight][i / 2], 8 * kEight + t + i / 2 * 4);
      for (int n = 0; n < 2; ++n) multiply_add_tf32(sum[m][n], a, b[n]);
    }
  });
}

/// Scales the sums of the pixels from `first_pixel` of the tile on, adds the bias, and writes them; they become what
/// was written.
template <class Shape>
__device__ void store_outputs(const FewChannelsForward& c, const ForwardItem& item, int first_pixel,
                              ForwardSums<Shape>& sum) {
  const FewChannelsLayer& layer = c.layer;
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, pixels = layer.tiles.pixels(item.line);
  const float scale = debias_factor(c.u[item.node]);
  const int column = item.output + 2 * (lane % 4);
  const float* bias = c.bias == Conv2dLayer::kNoBias ? nullptr : c.x.row(item.node) + c.bias + column;
  float* to = c.output +
              (static_cast<std::int64_t>(item.node) * layer.tiles.samples() * layer.tiles.image_pixels() +
               item.line * layer.tiles.width()) *
                  layer.channels +
              column;
  for (int m = 0; m < Shape::kForwardTiles; ++m)
    for (int high = 0; high < 2; ++high) {
      const int pixel = first_pixel + 16 * m + 8 * high + g;
      if (pixel >= pixels) continue;
      for (int n = 0; n < 2; ++n) {
        float* const value = &sum[m][n][2 * high];
        for (int i = 0; i < 2; ++i) {
          value[i] *= scale;
          if (bias != nullptr) value[i] += bias[8 * n + i] * scale;
        }
        write_pair({value[0], value[1]}, to + pixel * layer.channels + 8 * n);
      }
    }
}

/// Leaves the moments of what store_outputs has written, behind images and weights.
template <class Shape>
__device__ void leave_moments_of_item(const FewChannelsForward& c, const ForwardItem& item,
                                      const ForwardSums<Shape>& written) {
  const int channels = c.layer.channels;
  leave_moments({.of_warps = dynamic_shared<float>() + c.halo + kOutputs * Shape::kTermPitch,
                 .to = c.moments.row(item.node) + item.tile * MomentTiles::kNumbers * channels + item.output,
                 .channels = channels},
                c.layer.tiles.pixels(item.line), written);
}

/// output = images * weights at z: an implicit matrix product of (pixels, terms) by (terms, outputs) for each node. A
/// block per tile of up to 256 pixels and 16 outputs, in strides of the grid; a warp has 64 of the pixels.
template <class Shape>
__global__ void __launch_bounds__(kThreads, FewChannelsLayer::kBlocksTogether)
    few_channels_forward_kernel(FewChannelsForward c) {
  const int lane = static_cast<int>(threadIdx.x) % 32, t = lane % 4;
  const int first_pixel = static_cast<int>(threadIdx.x) / 32 * 16 * Shape::kForwardTiles;
  TermPlaces<Shape> place;
  for (int eight = 0; eight < Shape::kEights; ++eight)
    for (int high = 0; high < 2; ++high) place[eight][high] = place_of<Shape>(c.layer.tiles, 8 * eight + t + 4 * high);

  for (int number = static_cast<int>(blockIdx.x); number < c.items; number += static_cast<int>(gridDim.x)) {
    const ForwardItem item = forward_item_at(c, number);
    load_images<Shape>(c.layer, item.node, item.line, dynamic_shared<float>());
    load_weights<Shape>(c, item);
    __syncthreads();
    ForwardSums<Shape> sum = {};
    if (first_pixel < c.layer.tiles.pixels(item.line)) {
      multiply_terms<Shape>(c, item, first_pixel, place, sum);
      store_outputs<Shape>(c, item, first_pixel, sum);
    }
    if (c.moments.data != nullptr) leave_moments_of_item<Shape>(c, item, sum);
    __syncthreads();  // before the next item's images
  }
}

template <class Shape>
bool launch_forward(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dForward& f) {
  FewChannelsForward c{.layer = {.tiles = few_channels_forward_tiles<Shape>(layer, samples),
                                 .channels = layer.out,
                                 .blocks = Divisor(layer.out / kOutputs),
                                 .input = f.input.data},
                       .tile_count = {},
                       .halo = 0,
                       .items = 0,
                       .x = f.x,
                       .u = f.u.data(),
                       .weight = layer.weight,
                       .bias = layer.bias,
                       .output = f.output.data,
                       .moments = f.moments};
  const HaloTiles& tiles = c.layer.tiles;
  if (tiles.lines() == 0) return false;
  c.tile_count = Divisor(tiles.count());
  c.halo = few_channels_halo<Shape>(tiles);
  const std::int64_t items = std::int64_t{f.x.rows} * c.layer.blocks.value() * tiles.count();
  CHECK(items <= std::numeric_limits<int>::max(), "tiles ", items);
  c.items = static_cast<int>(items);
  const int shared_bytes = kFloatBytes * (c.halo + kOutputs * Shape::kTermPitch + kMoments);
  launch(gpu,
         {.blocks = blocks_for(gpu, c.items, blocks_together(gpu, shared_bytes, FewChannelsLayer::kBlocksTogether)),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(shared_bytes)},
         few_channels_forward_kernel<Shape>, c);
  return true;
}

}  // namespace

bool few_channels_forward(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dForward& f) {
  if (!is_on_quads(f.output.data)) return false;
  return layer.in.channels == 1 ? launch_forward<FewChannels<1>>(gpu, layer, samples, f)
                                : launch_forward<FewChannels<3>>(gpu, layer, samples, f);
}

}  // namespace sparsepush
