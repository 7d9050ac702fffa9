#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/layers/conv2d/gradient_ranges.h"
#include "kernels/layers/conv2d/tensor_convolution.h"
#include "kernels/layers/conv2d/tensor_copy.h"
#include "kernels/layers/conv2d/tensor_few_channels.h"
#include "kernels/layers/conv2d/tensor_sums.h"
#include "kernels/layers/conv2d/tensor_tiles.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 32 * kTensorWarps, kTaps = 9, kSide = kSquareSide;
constexpr int kSquareRow = kSide * kTaps;  // floats of an output's weights in a square
constexpr int kSquarePitch = kSquareRow + 4;

struct TensorGradient {
  HaloTiles tiles;             ///< of outputs, which read inputs
  int halo = 0;                ///< floats of a buffer before the outputs' gradients
  int tap[kTaps] = {};         ///< floats from what an output's first tap meets to what others do
  int ranges = 0, length = 0;  ///< of a node's tiles; tiles of each, the last one may have fewer
  Divisor down, across;        ///< blocks of outputs and of inputs
  int items = 0;               ///< blocks of all nodes and ranges
  int in_channels, out_channels;
  const float* input;            ///< [nodes * samples, in]
  const float* output_gradient;  ///< [nodes * samples, out]
  float* sums = nullptr;         ///< where the weights' gradients of node 0, range 0 go
  std::int64_t node_pitch = 0;   ///< floats to the next node
  NormOnLoad norm;               ///< of the input
};

/// Weights and tiles of one block's sums.
struct Item {
  int node, range;
  int output, input;  ///< the first of each
  int first_tile, tiles;
};

template <class Shape>
__device__ Item item_at(const TensorGradient& c, int number) {
  const int rest = c.across.divide(number), across = number - rest * c.across.value();
  const int node_and_range = c.down.divide(rest), down = rest - node_and_range * c.down.value();
  const int node = node_and_range / c.ranges, range = node_and_range - node * c.ranges;
  const int first = range * c.length, left = c.tiles.count() - first;
  return {.node = node,
          .range = range,
          .output = down * Shape::kOutputs,
          .input = across * Shape::kInputs,
          .first_tile = first,
          .tiles = left < c.length ? left : c.length};
}

/// A tile in shared memory: the inputs, the outputs' gradients, and where in the inputs the outputs' first taps are.
template <class Shape>
struct GradientBuffer {
  float *input, *output_gradient;
  int* place;

  __device__ GradientBuffer(const TensorGradient& c, int number) {
    const int pixels = c.tiles.lines() * c.tiles.width();
    input = dynamic_shared<float>() + number % 2 * floats(c.halo, pixels);
    output_gradient = input + c.halo;
    place = reinterpret_cast<int*>(output_gradient + pixels * Shape::kOutputPitch);
  }
  static constexpr int floats(int halo, int pixels) { return halo + pixels * (Shape::kOutputPitch + 1); }
};

/// Begins to copy a tile. Outputs beyond the last are zeros, and so is what their taps meet.
template <class Shape>
__device__ void copy_tile(const TensorGradient& c, const Item& item, int line, const GradientBuffer<Shape>& buffer) {
  const std::int64_t first_sample = static_cast<std::int64_t>(item.node) * c.tiles.samples();
  copy_halo<Shape::kInputs, Shape::kInputPitch>(
      c.tiles, line, c.input + first_sample * c.tiles.source().size() + item.input, buffer.input);
  const int first = line * c.tiles.width(), live = c.tiles.pixels(line), all = c.tiles.lines() * c.tiles.width();
  const float* from = c.output_gradient + first_sample * c.tiles.image_pixels() * c.out_channels + item.output;
  for_each_quad<Shape::kOutputs / 4>(all, [&](int pixel, int channel) {
    const bool inside = pixel < live;
    copy_quad_async(buffer.output_gradient + pixel * Shape::kOutputPitch + channel,
                    from + (inside ? (first + pixel) * c.out_channels + channel : 0), inside);
  });
  for (int pixel = static_cast<int>(threadIdx.x); pixel < all; pixel += kThreads)
    buffer.place[pixel] = c.tiles.position(line, pixel) * Shape::kInputPitch;
}

template <class Shape>
__device__ void receive_tile(const TensorGradient& c, const Item& item, int line, const GradientBuffer<Shape>& buffer) {
  wait_for_copies();
  if (c.norm.is_wanted())
    normalize_halo<Shape::kInputs, Shape::kInputPitch>(c.tiles, line, c.norm.terms.row(item.node) + item.input,
                                                       relu_cut(c.norm.relu), buffer.input);
  else
    round_rows<Shape::kInputs / 4>(buffer.input, c.tiles.positions(line), Shape::kInputPitch);
  round_rows<Shape::kOutputs / 4>(buffer.output_gradient, c.tiles.lines() * c.tiles.width(), Shape::kOutputPitch);
}

/// Which square of the block a warp has, and which share of its pixels.
template <class Shape>
struct WarpPart {
  int down, across, share;
  __device__ WarpPart() {
    const int warp = static_cast<int>(threadIdx.x) / 32, square = warp % Shape::kSquares;
    down = square / Shape::kAcross;
    across = square % Shape::kAcross;
    share = warp / Shape::kSquares;
  }
};

/// A lane's sums: see multiply_add_tf32, whose rows are outputs and whose columns are inputs.
using GradientSums = float[kTaps][kSide / 8][4];

/// Adds the products of a tile's pixels, eight at a time.
template <class Shape>
__device__ void multiply_tile(const TensorGradient& c, int pixels, const WarpPart<Shape>& part,
                              const GradientBuffer<Shape>& buffer, GradientSums& sum) {
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  for (int first = 8 * part.share; first < pixels; first += 8 * Shape::kShares) {
    const float* low = buffer.output_gradient + (first + t) * Shape::kOutputPitch + kSide * part.down + g;
    const float* high = low + 4 * Shape::kOutputPitch;
    const float a[4] = {load_fragment(low), load_fragment(low + 8), load_fragment(high), load_fragment(high + 8)};
    const float* inputs = buffer.input + kSide * part.across + g;
    const float *low_input = inputs + buffer.place[first + t], *high_input = inputs + buffer.place[first + t + 4];
    for (int tap = 0; tap < kTaps; ++tap)
      for (int n = 0; n < kSide / 8; ++n) {
        const float b[2] = {load_fragment(low_input + c.tap[tap] + 8 * n),
                            load_fragment(high_input + c.tap[tap] + 8 * n)};
        multiply_add_tf32(sum[tap][n], a, b);
      }
  }
}

/// Adds the shares of each square in order, in the place of the buffers, and writes them.
template <class Shape>
__device__ void store_squares(const TensorGradient& c, const Item& item, const WarpPart<Shape>& part,
                              const GradientSums& sum) {
  float* const squares = dynamic_shared<float>();
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  float* const square = squares + (part.down * Shape::kAcross + part.across) * kSide * kSquarePitch;
  for (int share = 0; share < Shape::kShares; ++share) {
    __syncthreads();
    if (part.share != share) continue;
    for (int tap = 0; tap < kTaps; ++tap)
      for (int n = 0; n < kSide / 8; ++n)
        for (int i = 0; i < 4; ++i) {
          float& all = square[(g + i / 2 * 8) * kSquarePitch + (8 * n + 2 * t + i % 2) * kTaps + tap];
          all = share == 0 ? sum[tap][n][i] : all + sum[tap][n][i];
        }
  }
  __syncthreads();
  float* to = c.sums + item.node * c.node_pitch +
              static_cast<std::int64_t>(item.range) * c.out_channels * c.in_channels * kTaps +
              static_cast<std::int64_t>(item.output) * c.in_channels * kTaps + item.input * kTaps;
  for_each_quad<Shape::kAcross * kSquareRow / 4>(Shape::kOutputs, [&](int output, int place) {
    const int across = place / kSquareRow;
    const float* from = squares + ((output / kSide * Shape::kAcross + across) * kSide + output % kSide) * kSquarePitch +
                        place - across * kSquareRow;
    store_quad(load_quad(from, 0), to + static_cast<std::int64_t>(output) * c.in_channels * kTaps + place, 0);
  });
  __syncthreads();  // before the next item's copies
}

/// dW = dY^T * inputs, a product over pixels for each (node, range of tiles) and tap. A block per item, in strides of
/// the grid. While one buffer is multiplied, the other receives the next tile.
template <class Shape>
__global__ void __launch_bounds__(kThreads, Shape::kBlocksTogether) tensor_gradient_kernel(TensorGradient c) {
  const WarpPart<Shape> part;
  for (int number = static_cast<int>(blockIdx.x); number < c.items; number += static_cast<int>(gridDim.x)) {
    const Item item = item_at<Shape>(c, number);
    const auto line_of = [&](int tile) { return (item.first_tile + tile) * c.tiles.lines(); };
    GradientSums sum = {};
    copy_tile<Shape>(c, item, line_of(0), {c, 0});
    for (int tile = 0; tile < item.tiles; ++tile) {
      const GradientBuffer<Shape> buffer(c, tile);
      receive_tile<Shape>(c, item, line_of(tile), buffer);
      __syncthreads();  // nobody reads the other buffer any more
      if (tile + 1 < item.tiles) copy_tile<Shape>(c, item, line_of(tile + 1), {c, tile + 1});
      multiply_tile<Shape>(c, c.tiles.pixels(line_of(tile)), part, buffer, sum);
    }
    store_squares<Shape>(c, item, part, sum);
  }
}

template <class Shape>
bool launch_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b, float* partial) {
  const int float_bytes = sizeof(float);
  TensorGradient c{.tiles = gradient_tiles<Shape>(layer, samples),
                   .down = Divisor(layer.out / Shape::kOutputs),
                   .across = Divisor(layer.in.channels / Shape::kInputs),
                   .in_channels = layer.in.channels,
                   .out_channels = layer.out,
                   .input = b.input.data,
                   .output_gradient = b.output_gradient.data,
                   .norm = b.norm};
  if (c.tiles.lines() == 0) return false;
  const int weights = layer.out * layer.in.channels * kTaps;
  c.halo = c.tiles.positions() * Shape::kInputPitch;
  for (int tap = 0; tap < kTaps; ++tap) c.tap[tap] = c.tiles.tap(tap / 3, tap % 3) * Shape::kInputPitch;
  c.length = static_cast<int>(divide_up(c.tiles.count(), GradientRanges(layer, samples).count));
  c.ranges = static_cast<int>(divide_up(c.tiles.count(), c.length));
  const std::int64_t items = std::int64_t{b.x.rows} * c.ranges * c.down.value() * c.across.value();
  CHECK(items <= std::numeric_limits<int>::max(), "blocks of weights ", items);
  c.items = static_cast<int>(items);
  c.sums = c.ranges == 1 ? b.gradient.data + layer.weight : partial;
  c.node_pitch = c.ranges == 1 ? b.gradient.cols : std::int64_t{c.ranges} * weights;
  const int buffers = 2 * GradientBuffer<Shape>::floats(c.halo, c.tiles.lines() * c.tiles.width());
  const std::int64_t shared_bytes =
      std::int64_t{float_bytes} * std::max(buffers, Shape::kSquares * kSide * kSquarePitch);
  launch(gpu,
         {.blocks = blocks_for(gpu, c.items, blocks_together(gpu, shared_bytes, Shape::kBlocksTogether)),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(shared_bytes)},
         tensor_gradient_kernel<Shape>, c);
  if (c.ranges > 1)
    add_tensor_ranges(
        gpu,
        {.partial = partial, .gradient = b.gradient, .weight = layer.weight, .ranges = c.ranges, .weights = weights});
  return true;
}

}  // namespace

bool tensor_parameter_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b,
                               float* partial) {
  if (has_few_channels(layer)) return few_channels_parameter_gradient(gpu, layer, samples, b, partial);
  if (!has_tensor_shape(layer) || !is_on_quads(b.input.data) || !is_on_quads(b.output_gradient.data) ||
      !has_weights_on_quads(layer, b.gradient))
    return false;
  const bool done = with_gradient_shape(
      layer, [&](auto shape) { return launch_gradient<decltype(shape)>(gpu, layer, samples, b, partial); });
  if (done && layer.bias != Conv2dLayer::kNoBias) add_up_bias_gradient(gpu, layer, samples, b);
  return done;
}

}  // namespace sparsepush
