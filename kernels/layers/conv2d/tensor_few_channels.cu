#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/layers/conv2d/gradient_ranges.h"
#include "kernels/layers/conv2d/tensor_copy.h"
#include "kernels/layers/conv2d/tensor_few_channels.h"
#include "kernels/layers/conv2d/tensor_shapes.h"
#include "kernels/layers/conv2d/tensor_sums.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps, kTaps = 9, kOutputs = 16, kBlocksTogether = 4;
constexpr int kTiles = 4;  // of 16 pixels, by a warp in a forward pass

/// The terms of a sum are the taps of each channel, as an output's weights stand in a node's row, in eights. Beyond the
/// last, weights and images are zero.
template <int channels>
struct FewChannels {
  static constexpr int kChannels = channels, kTerms = kTaps * channels, kEights = (kTerms + 7) / 8;
  static constexpr int kTermPitch = 8 * kEights + 4;  ///< floats from one output's terms to the next's
  static_assert(meets_all_banks(kTermPitch, 1));
};

struct FewChannelsLayer {
  HaloTiles tiles;     ///< of outputs, which read the images
  int channels;        ///< of the output
  Divisor blocks;      ///< of 16 of these
  const float* input;  ///< [nodes * samples, in]
};

/// Copies what the tile that begins with `line` reads, and rounds it.
template <class Shape>
__device__ void load_images(const FewChannelsLayer& c, int node, int line, float* shared) {
  const HaloTiles& tiles = c.tiles;
  const float* source = c.input + static_cast<std::int64_t>(node) * tiles.samples() * tiles.source().size();
  for (int i = static_cast<int>(threadIdx.x); i < tiles.positions(line) * Shape::kChannels; i += kThreads) {
    const int position = i / Shape::kChannels, pixel = tiles.source_pixel(line, position);
    shared[i] = pixel < 0 ? 0.0f : round_to_tf32(source[pixel * Shape::kChannels + i - position * Shape::kChannels]);
  }
}

/// Floats from the first of a pixel's terms to another; of one beyond the last, 0.
template <class Shape>
__device__ int place_of(const HaloTiles& tiles, int term) {
  const int channel = term / kTaps, tap = term - channel * kTaps;
  return term < Shape::kTerms ? tiles.tap(tap / 3, tap % 3) * Shape::kChannels + channel : 0;
}

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
  float* output;  ///< [nodes * samples, image]
};

/// Two channels of a pixel.
struct alignas(8) Pair {
  float value[2];
};

/// output = images * weights at z: an implicit matrix product of (pixels, terms) by (terms, outputs) for each node. A
/// block per tile of up to 256 pixels and 16 outputs, in strides of the grid; a warp has 64 of the pixels.
template <class Shape>
__global__ void __launch_bounds__(kThreads, kBlocksTogether) few_channels_forward_kernel(FewChannelsForward c) {
  const FewChannelsLayer& layer = c.layer;
  float* const images = dynamic_shared<float>();
  float* const weights = images + c.halo;
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  const int first_pixel = static_cast<int>(threadIdx.x) / 32 * 16 * kTiles;
  int place[Shape::kEights][2];
  for (int eight = 0; eight < Shape::kEights; ++eight)
    for (int high = 0; high < 2; ++high) place[eight][high] = place_of<Shape>(layer.tiles, 8 * eight + t + 4 * high);

  for (int item = static_cast<int>(blockIdx.x); item < c.items; item += static_cast<int>(gridDim.x)) {
    const int block_of_node = c.tile_count.divide(item), node = layer.blocks.divide(block_of_node);
    const int line = (item - block_of_node * c.tile_count.value()) * layer.tiles.lines();
    const int output = (block_of_node - node * layer.blocks.value()) * kOutputs;
    const float* row = c.x.row(node);
    load_images<Shape>(layer, node, line, images);
    for (int i = static_cast<int>(threadIdx.x); i < kOutputs * 8 * Shape::kEights; i += kThreads) {
      const int out = i / (8 * Shape::kEights), term = i - out * (8 * Shape::kEights);
      const float* from = row + c.weight + (output + out) * Shape::kTerms;
      weights[out * Shape::kTermPitch + term] = term < Shape::kTerms ? round_to_tf32(from[term]) : 0.0f;
    }
    __syncthreads();
    const int pixels = layer.tiles.pixels(line);
    if (first_pixel < pixels) {
      float sum[kTiles][2][4] = {};
      int first[kTiles][2];
      for (int m = 0; m < kTiles; ++m)
        for (int high = 0; high < 2; ++high) {
          const int pixel = first_pixel + 16 * m + 8 * high + g;
          first[m][high] = pixel < pixels ? layer.tiles.position(line, pixel) * Shape::kChannels : 0;
        }
      for_each_constant<0, Shape::kEights>([&](auto constant) {
        constexpr int kEight = decltype(constant)::value;
        float b[2][2];
        for (int n = 0; n < 2; ++n)
          for (int high = 0; high < 2; ++high)
            b[n][high] = load_fragment(weights + (8 * n + g) * Shape::kTermPitch + 8 * kEight + t + 4 * high);
        for (int m = 0; m < kTiles; ++m) {
          float a[4];
          for (int i = 0; i < 4; ++i)
            a[i] = load_term<Shape>(images, first[m][i % 2] + place[kEight][i / 2], 8 * kEight + t + i / 2 * 4);
          for (int n = 0; n < 2; ++n) multiply_add_tf32(sum[m][n], a, b[n]);
        }
      });
      const float scale = debias_factor(c.u[node]);
      const int column = output + 2 * t;
      const float* bias = c.bias == Conv2dLayer::kNoBias ? nullptr : row + c.bias + column;
      float* to = c.output +
                  (static_cast<std::int64_t>(node) * layer.tiles.samples() * layer.tiles.image_pixels() +
                   line * layer.tiles.width()) *
                      layer.channels +
                  column;
      for (int m = 0; m < kTiles; ++m)
        for (int high = 0; high < 2; ++high) {
          const int pixel = first_pixel + 16 * m + 8 * high + g;
          if (pixel >= pixels) continue;
          for (int n = 0; n < 2; ++n) {
            Pair pair;
            for (int i = 0; i < 2; ++i) {
              pair.value[i] = sum[m][n][2 * high + i] * scale;
              if (bias != nullptr) pair.value[i] += bias[8 * n + i] * scale;
            }
            *reinterpret_cast<Pair*>(to + pixel * layer.channels + 8 * n) = pair;
          }
        }
    }
    __syncthreads();  // before the next item's images
  }
}

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

/// dW = dY^T * images, a product over pixels for each (node, range of tiles). A block per item and 16 outputs, in
/// strides of the grid; a warp has all terms, of every fourth eight of the pixels, and the warps' sums are added in
/// order.
template <class Shape>
__global__ void __launch_bounds__(kThreads, kBlocksTogether) few_channels_gradient_kernel(FewChannelsGradient c) {
  const FewChannelsLayer& layer = c.layer;
  const HaloTiles& tiles = layer.tiles;
  float* const images = dynamic_shared<float>();
  float* const gradients = images + c.halo;
  int* const first = reinterpret_cast<int*>(gradients + kGradientPixels * kGradientPitch);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int g = lane / 4, t = lane % 4, all_pixels = tiles.lines() * tiles.width();
  int place[Shape::kEights];
  for (int eight = 0; eight < Shape::kEights; ++eight) place[eight] = place_of<Shape>(tiles, 8 * eight + g);

  for (int item = static_cast<int>(blockIdx.x); item < c.items; item += static_cast<int>(gridDim.x)) {
    const int node_and_range = layer.blocks.divide(item), node = node_and_range / c.ranges;
    const int output = (item - node_and_range * layer.blocks.value()) * kOutputs;
    const int range = node_and_range - node * c.ranges;
    const int end = (range + 1) * c.length < tiles.count() ? (range + 1) * c.length : tiles.count();
    float sum[Shape::kEights][4] = {};
    for (int tile = range * c.length; tile < end; ++tile) {
      const int line = tile * tiles.lines(), pixels = tiles.pixels(line);
      const float* from =
          c.output_gradient +
          (static_cast<std::int64_t>(node) * tiles.samples() * tiles.image_pixels() + line * tiles.width()) *
              layer.channels +
          output;
      load_images<Shape>(layer, node, line, images);
      for_each_quad<kOutputs / 4>(all_pixels, [&](int pixel, int channel) {
        Quad quad = {};
        if (pixel < pixels) quad = load_quad(from + pixel * layer.channels + channel, 0);
        for (float& value : quad.lane) value = round_to_tf32(value);
        store_quad(quad, gradients + pixel * kGradientPitch + channel, 0);
      });
      for (int pixel = static_cast<int>(threadIdx.x); pixel < all_pixels; pixel += kThreads)
        first[pixel] = tiles.position(line, pixel) * Shape::kChannels;
      __syncthreads();
      for (int eight = 8 * warp; eight < pixels; eight += 8 * kWarps) {
        const float* low = gradients + (eight + t) * kGradientPitch + g;
        const float* high = low + 4 * kGradientPitch;
        const float a[4] = {load_fragment(low), load_fragment(low + 8), load_fragment(high), load_fragment(high + 8)};
        const float *low_image = images + first[eight + t], *high_image = images + first[eight + t + 4];
        for (int n = 0; n < Shape::kEights; ++n) {
          const float b[2] = {load_fragment(low_image + place[n]), load_fragment(high_image + place[n])};
          multiply_add_tf32(sum[n], a, b);
        }
      }
      __syncthreads();  // before the next tile's images, or sums in their place
    }
    for (int turn = 0; turn < kWarps; ++turn) {
      if (warp == turn)
        for (int n = 0; n < Shape::kEights; ++n)
          for (int i = 0; i < 4; ++i) {
            float& all = images[(g + i / 2 * 8) * Shape::kTermPitch + 8 * n + 2 * t + i % 2];
            all = turn == 0 ? sum[n][i] : all + sum[n][i];
          }
      __syncthreads();
    }
    float* to =
        c.sums + node * c.node_pitch + (static_cast<std::int64_t>(range) * layer.channels + output) * Shape::kTerms;
    for (int i = static_cast<int>(threadIdx.x); i < kOutputs * Shape::kTerms; i += kThreads) {
      const int out = i / Shape::kTerms;
      to[i] = images[out * Shape::kTermPitch + i - out * Shape::kTerms];
    }
    __syncthreads();  // before the next item's images
  }
}

constexpr int kFloatBytes = sizeof(float);

template <class Shape>
HaloTiles tiles_of(const Conv2dLayer& layer, int samples, int pixels, int multiple) {
  return {layer.in,
          layer.out_shape(),
          layer.stride,
          samples,
          {.pixels = pixels,
           .multiple = multiple,
           .bytes = kTensorSharedBytes / 2,
           .position_bytes = kFloatBytes * Shape::kChannels,
           .pixel_bytes = 0}};
}

/// Floats of a block's images, so that what follows stands on 16 bytes.
template <class Shape>
int halo_of(const HaloTiles& tiles, int least = 0) {
  return static_cast<int>(divide_up(std::max(tiles.positions() * Shape::kChannels, least), 4)) * 4;
}

template <class Shape>
bool launch_forward(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dForward& f) {
  FewChannelsForward c{.layer = {.tiles = tiles_of<Shape>(layer, samples, kWarps * 16 * kTiles, 1),
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
                       .output = f.output.data};
  const HaloTiles& tiles = c.layer.tiles;
  if (tiles.lines() == 0) return false;
  c.tile_count = Divisor(tiles.count());
  c.halo = halo_of<Shape>(tiles);
  const std::int64_t items = std::int64_t{f.x.rows} * c.layer.blocks.value() * tiles.count();
  CHECK(items <= std::numeric_limits<int>::max(), "tiles ", items);
  c.items = static_cast<int>(items);
  const int shared_bytes = kFloatBytes * (c.halo + kOutputs * Shape::kTermPitch);
  launch(gpu,
         {.blocks = blocks_for(gpu, c.items, blocks_together(gpu, shared_bytes, kBlocksTogether)),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(shared_bytes)},
         few_channels_forward_kernel<Shape>, c);
  return true;
}

template <class Shape>
bool launch_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b, float* partial) {
  FewChannelsGradient c{.layer = {.tiles = tiles_of<Shape>(layer, samples, kGradientPixels, 8),
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
  c.halo = halo_of<Shape>(tiles, kOutputs * Shape::kTermPitch);
  c.length = static_cast<int>(divide_up(tiles.count(), GradientRanges(layer, samples).count));
  c.ranges = static_cast<int>(divide_up(tiles.count(), c.length));
  const std::int64_t items = std::int64_t{b.x.rows} * c.ranges * c.layer.blocks.value();
  CHECK(items <= std::numeric_limits<int>::max(), "blocks of weights ", items);
  c.items = static_cast<int>(items);
  c.sums = c.ranges == 1 ? b.gradient.data + layer.weight : partial;
  c.node_pitch = c.ranges == 1 ? b.gradient.cols : std::int64_t{c.ranges} * weights;
  const int shared_bytes = kFloatBytes * (c.halo + kGradientPixels * (kGradientPitch + 1));
  launch(gpu,
         {.blocks = blocks_for(gpu, c.items, blocks_together(gpu, shared_bytes, kBlocksTogether)),
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

bool few_channels_forward(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dForward& f) {
  if (!is_on_quads(f.output.data)) return false;
  return layer.in.channels == 1 ? launch_forward<FewChannels<1>>(gpu, layer, samples, f)
                                : launch_forward<FewChannels<3>>(gpu, layer, samples, f);
}

bool few_channels_parameter_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b,
                                     float* partial) {
  if (!is_on_quads(b.output_gradient.data) || !has_weights_on_quads(layer, b.gradient)) return false;
  return layer.in.channels == 1 ? launch_gradient<FewChannels<1>>(gpu, layer, samples, b, partial)
                                : launch_gradient<FewChannels<3>>(gpu, layer, samples, b, partial);
}

}  // namespace sparsepush
