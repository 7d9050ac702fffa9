#include <cstdint>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/global_memory.h"
#include "kernels/layers/conv2d/tensor_convolution.h"
#include "kernels/layers/conv2d/tensor_copy.h"
#include "kernels/layers/conv2d/tensor_few_channels.h"
#include "kernels/layers/conv2d/tensor_moments.h"
#include "kernels/layers/conv2d/tensor_norm_gradient.h"
#include "kernels/layers/conv2d/tensor_tiles.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kWarps = kTensorWarps, kThreads = 32 * kWarps, kTaps = 9;
using Pass = TensorPass;

struct TensorConvolution {
  HaloTiles tiles;
  int halo = 0;         ///< floats of a buffer before its weights
  int tap[kTaps] = {};  ///< floats from what a pixel's first tap meets to what others do, in the order of the weights
  Divisor panels = {};  ///< of channels that are added up
  Divisor blocks = {};  ///< of channels that are computed
  Divisor tile_count = {};  ///< tiles a node
  int items = 0;            ///< tiles of all nodes and blocks
  int weight_row;           ///< floats from one output's weights to the next's
  MatrixView<const float> x;
  const double* u;
  std::int64_t weight, bias;
  const float* source;  ///< [nodes * samples, source]
  float* output;        ///< [nodes * samples, image]
  ImageShape image;
  MatrixView<double> moments = {};  ///< as in Conv2dForward
  NormOnLoad norm = {};             ///< of the source
  NormGradient gradient = {};       ///< as in Conv2dBackward
};

/// What a block adds up between two barriers. Steps of a tile follow one another, and tiles with the same weights.
struct Step {
  int node, tile, line;
  int output, channel;  ///< the first of each
  int weights;          ///< number of the weights that it reads
};

template <class Shape>
__device__ Step step_at(const TensorConvolution& c, int number) {
  const int item = c.panels.divide(number), panel = number - item * c.panels.value();
  const int block_of_node = c.tile_count.divide(item), tile = item - block_of_node * c.tile_count.value();
  const int node = c.blocks.divide(block_of_node), block = block_of_node - node * c.blocks.value();
  return {.node = node,
          .tile = tile,
          .line = tile * c.tiles.lines(),
          .output = block * Shape::kOutputs,
          .channel = panel * Shape::kChannels,
          .weights = block_of_node * c.panels.value() + panel};
}

/// Begins to copy what a step reads to a buffer.
template <class Shape>
__device__ void copy_step(const TensorConvolution& c, const Step& step, bool with_weights, float* buffer) {
  const ImageShape& source = c.tiles.source();
  copy_halo<Shape::kChannels, Shape::kPitch>(
      c.tiles, step.line,
      c.source + static_cast<std::int64_t>(step.node) * c.tiles.samples() * source.size() + step.channel, buffer);
  if (!with_weights) return;
  const int out = Shape::kPass == Pass::kForward ? step.output : step.channel;
  const int in = Shape::kPass == Pass::kForward ? step.channel : step.output;
  const float* weights = c.x.row(step.node) + c.weight + static_cast<std::int64_t>(out) * c.weight_row + in * kTaps;
  for_each_quad<Shape::kWeightRow / 4>(Shape::kWeightRows, [&](int row, int place) {
    copy_quad_async(buffer + c.halo + row * Shape::kWeightPitch + place,
                    weights + static_cast<std::int64_t>(row) * c.weight_row + place, true);
  });
}

/// Waits for the copies of a step; normalizes, if that is wanted, and rounds what this thread has copied.
template <class Shape>
__device__ void receive_step(const TensorConvolution& c, const Step& step, bool with_weights, float* buffer) {
  wait_for_copies();
  if (Shape::kPass == Pass::kForward && c.norm.is_wanted())
    normalize_halo<Shape::kChannels, Shape::kPitch>(c.tiles, step.line, c.norm.terms.row(step.node) + step.channel,
                                                    relu_cut(c.norm.relu), buffer);
  else
    round_rows<Shape::kChannels / 4>(buffer, c.tiles.positions(step.line), Shape::kPitch);
  if (with_weights) round_rows<Shape::kWeightRow / 4>(buffer + c.halo, Shape::kWeightRows, Shape::kWeightPitch);
}

/// Of the inputs 2 i - 1 + tap that output i reads, whether it is even: 0, or odd: 1.
constexpr int phase_of(int tap) { return tap == 1 ? 0 : 1; }

/// A lane's sums: see multiply_add_tf32, whose rows are pixels and whose columns are channels.
template <class Shape>
using Sums = float[Shape::kTiles][Shape::kOutputs / 8][4];
/// Where the first taps of its pixels g and g + 8 are in a buffer, tile by tile.
template <class Shape>
using Places = int[Shape::kTiles][2];

/// Adds the products of a step's channels: tap by tap, eight channels at a time.
template <class Shape>
__device__ void multiply_step(const TensorConvolution& c, const float* buffer, const Places<Shape>& place,
                              Sums<Shape>& sum) {
  constexpr int kColumns = Shape::kOutputs / 8;
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  const float* weights = buffer + c.halo + g * Shape::kOutputPitch + t * Shape::kChannelPitch;
  for_each_constant<0, kTaps>([&](auto tap) {
    constexpr int kTap = decltype(tap)::value, kPhase = 2 * phase_of(kTap / 3) + phase_of(kTap % 3);
    const float* pixels = buffer + t + c.tap[kTap];
    for (int k = 0; k < Shape::kChannels; k += 8) {
      float b[kColumns][2];
      for (int n = 0; n < kColumns; ++n)
        for (int high = 0; high < 2; ++high)
          b[n][high] =
              load_fragment(weights + 8 * n * Shape::kOutputPitch + (k + 4 * high) * Shape::kChannelPitch + kTap);
      for (int m = 0; m < Shape::kTiles; ++m) {
        if (Shape::kPass == Pass::kPhases && m != kPhase) continue;
        const float* low = pixels + place[m][0] + k;
        const float* high = pixels + place[m][1] + k;
        const float a[4] = {load_fragment(low), load_fragment(high), load_fragment(low + 4), load_fragment(high + 4)};
        for (int n = 0; n < kColumns; ++n) multiply_add_tf32(sum[m][n], a, b[n]);
      }
    }
  });
}

/// The number of a lane's pixel in a block's tile.
template <class Shape>
__device__ int pixel_of_lane(int tile, int high) {
  const int warp = static_cast<int>(threadIdx.x) / 32, g = static_cast<int>(threadIdx.x) % 32 / 4;
  const int fragment = Shape::kPass == Pass::kPhases ? warp : warp * Shape::kTiles + tile;
  return 16 * fragment + 8 * high + g;
}

template <class Shape>
__device__ void find_places(const TensorConvolution& c, int line, Places<Shape>& place) {
  const int pixels = c.tiles.pixels(line);
  for (int m = 0; m < Shape::kTiles; ++m)
    for (int high = 0; high < 2; ++high) {
      const int pixel = pixel_of_lane<Shape>(m, high);
      place[m][high] = pixel < pixels ? c.tiles.position(line, pixel) * Shape::kPitch : 0;
    }
}

/// Scales a tile's sums, adds the bias, and writes them; they become what was written.
template <class Shape>
__device__ void store_tile(const TensorConvolution& c, const Step& step, Sums<Shape>& sum) {
  constexpr bool kPhases = Shape::kPass == Pass::kPhases;
  const float scale = debias_factor(c.u[step.node]);
  const int column = step.output + 2 * (static_cast<int>(threadIdx.x) % 4);
  float* const node = c.output + static_cast<std::int64_t>(step.node) * c.tiles.samples() * c.image.size() + column;
  const float* const bias = c.bias == Conv2dLayer::kNoBias ? nullptr : c.x.row(step.node) + c.bias + column;
  for (int m = 0; m < Shape::kTiles; ++m)
    for (int high = 0; high < 2; ++high) {
      const int number = pixel_of_lane<Shape>(m, high);
      if (number >= c.tiles.pixels(step.line)) continue;
      int pixel = step.line * c.tiles.width() + number;
      if (kPhases) {
        const HaloTiles::Pixel at = c.tiles.pixel(step.line, number);
        const int y = 2 * at.y + m / 2, x = 2 * at.x + m % 2;
        if (y >= c.image.height || x >= c.image.width) continue;
        pixel = (at.sample * c.image.height + y) * c.image.width + x;
      }
      for (int n = 0; n < Shape::kOutputs / 8; ++n) {
        float* const value = &sum[m][n][2 * high];
        for (int i = 0; i < 2; ++i) {
          value[i] *= scale;
          if (bias != nullptr) value[i] += bias[8 * n + i] * scale;
        }
        write_pair({value[0], value[1]}, node + pixel * c.image.channels + 8 * n);
      }
    }
}

/// Leaves the moments of what store_tile has written, behind both buffers.
template <class Shape>
__device__ void leave_moments_of_tile(const TensorConvolution& c, const Step& step, const Sums<Shape>& written) {
  const int channels = c.image.channels;
  leave_moments({.of_warps = dynamic_shared<float>() + 2 * (c.halo + Shape::kWeights),
                 .to = c.moments.row(step.node) + step.tile * MomentTiles::kNumbers * channels + step.output,
                 .channels = channels},
                c.tiles.pixels(step.line), written);
}

/// Stores a tile of an input's gradient as the normalization before wants it.
template <class Shape>
__device__ void store_norm_tile(const TensorConvolution& c, const Step& step, const Sums<Shape>& sum) {
  constexpr bool kPhases = Shape::kPass == Pass::kPhases;
  store_norm_gradient(c.gradient,
                      {.node = step.node,
                       .number = step.tile,
                       .samples = c.tiles.samples(),
                       .image = c.image,
                       .output = step.output,
                       .scale = debias_factor(c.u[step.node]),
                       .gradient = c.output,
                       .of_warps = dynamic_shared<float>() + 2 * (c.halo + Shape::kWeights)},
                      sum, [&](int m, int high) -> HaloTiles::Pixel {
                        const int number = pixel_of_lane<Shape>(m, high);
                        if (number >= c.tiles.pixels(step.line)) return {-1, 0, 0};
                        HaloTiles::Pixel at = c.tiles.pixel(step.line, number);
                        if (kPhases) at = {at.sample, 2 * at.y + m / 2, 2 * at.x + m % 2};
                        if (at.y >= c.image.height || at.x >= c.image.width) at.sample = -1;
                        return at;
                      });
}

/// output = source * weights at z, gathered by the output's pixels: an implicit matrix product of (pixels, taps and
/// channels) by (taps and channels, outputs) for each node. Blocks have ranges of tiles. While one buffer is
/// multiplied, the other receives what comes next; weights that stand there already, two steps later, are not copied
/// again.
template <class Shape>
__global__ void __launch_bounds__(kThreads, Shape::kBlocksTogether) tensor_convolution_kernel(TensorConvolution c) {
  float* const shared = dynamic_shared<float>();
  const auto buffer_of = [&](int number) { return shared + number % 2 * (c.halo + Shape::kWeights); };
  const auto first_of = [&](unsigned block) {
    return static_cast<int>(std::int64_t{c.items} * block / gridDim.x) * c.panels.value();
  };
  const int first = first_of(blockIdx.x), end = first_of(blockIdx.x + 1);
  const auto needs_weights = [&](int number, const Step& step) {
    return number - 2 < first || step_at<Shape>(c, number - 2).weights != step.weights;
  };
  const auto begin_copies = [&](int number) {
    const Step step = step_at<Shape>(c, number);
    copy_step<Shape>(c, step, needs_weights(number, step), buffer_of(number));
  };
  const int warps_first = pixel_of_lane<Shape>(0, 0) & ~15;

  if (first < end) begin_copies(first);
  Sums<Shape> sum = {};
  Places<Shape> place = {};
  for (int number = first; number < end; ++number) {
    const Step step = step_at<Shape>(c, number);
    receive_step<Shape>(c, step, needs_weights(number, step), buffer_of(number));
    __syncthreads();  // nobody reads the other buffer any more
    if (number + 1 < end) begin_copies(number + 1);
    if (step.channel == 0) {
      find_places<Shape>(c, step.line, place);
      for (auto& tile : sum)
        for (auto& column : tile)
          for (float& value : column) value = 0;
    }
    if (warps_first < c.tiles.pixels(step.line)) multiply_step<Shape>(c, buffer_of(number), place, sum);
    if (step.channel + Shape::kChannels != c.tiles.source().channels) continue;
    if constexpr (Shape::kPass == Pass::kForward) {
      store_tile<Shape>(c, step, sum);
      if (c.moments.data != nullptr) leave_moments_of_tile<Shape>(c, step, sum);
    } else if (c.gradient.is_wanted()) {
      store_norm_tile<Shape>(c, step, sum);
    } else {
      store_tile<Shape>(c, step, sum);
    }
  }
}

/// Launches the kernel for a pass whose tiles are `c.tiles`; false if there are none.
template <class Shape>
bool launch_tensor_convolution(const Cuda& gpu, TensorConvolution c) {
  if (c.tiles.lines() == 0) return false;
  const int blocks = c.image.channels / Shape::kOutputs;
  c.halo = c.tiles.positions() * Shape::kPitch;
  for (int& tap : c.tap) tap *= Shape::kPitch;
  c.panels = Divisor(c.tiles.source().channels / Shape::kChannels);
  c.blocks = Divisor(blocks);
  c.tile_count = Divisor(c.tiles.count());
  const std::int64_t items = std::int64_t{c.x.rows} * blocks * c.tiles.count();
  CHECK(items * c.panels.value() <= std::numeric_limits<int>::max(), "tiles ", items, ", steps of each ",
        c.panels.value());
  c.items = static_cast<int>(items);
  const std::int64_t shared_bytes =
      static_cast<std::int64_t>(sizeof(float)) * (2 * (c.halo + Shape::kWeights) + Shape::kTileSums);
  launch(gpu,
         {.blocks = blocks_for(gpu, c.items, blocks_together(gpu, shared_bytes, Shape::kBlocksTogether)),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(shared_bytes)},
         tensor_convolution_kernel<Shape>, c);
  return true;
}

}  // namespace

bool tensor_forward(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dForward& f) {
  if (has_few_channels(layer)) return few_channels_forward(gpu, layer, samples, f);
  if (!has_tensor_shape(layer) || !has_weights_on_quads(layer, f.x) || !is_on_quads(f.input.data) ||
      !is_on_quads(f.output.data))
    return false;
  const auto run = [&](auto shape) {
    using Shape = decltype(shape);
    TensorConvolution c{.tiles = forward_tiles<Shape>(layer, samples),
                        .weight_row = layer.in.channels * kTaps,
                        .x = f.x,
                        .u = f.u.data(),
                        .weight = layer.weight,
                        .bias = layer.bias,
                        .source = f.input.data,
                        .output = f.output.data,
                        .image = layer.out_shape(),
                        .moments = f.moments,
                        .norm = f.norm};
    for (int tap = 0; tap < kTaps; ++tap) c.tap[tap] = c.tiles.tap(tap / 3, tap % 3);
    return launch_tensor_convolution<Shape>(gpu, c);
  };
  return with_forward_shape(layer, run);
}

bool tensor_input_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b) {
  if (!has_tensor_shape(layer) || !has_weights_on_quads(layer, b.x) || !is_on_quads(b.output_gradient.data) ||
      !is_on_quads(b.input_gradient.data))
    return false;
  const auto run = [&](auto shape) {
    using Shape = decltype(shape);
    TensorConvolution c{.tiles = backward_tiles<Shape>(layer, samples),
                        .weight_row = layer.in.channels * kTaps,
                        .x = b.x,
                        .u = b.u.data(),
                        .weight = layer.weight,
                        .bias = Conv2dLayer::kNoBias,
                        .source = b.output_gradient.data,
                        .output = b.input_gradient.data,
                        .image = layer.in,
                        .gradient = b.norm_gradient};
    // Input i is read by output (i + 1 - tap) / stride, which stands one position behind.
    const auto mirrored = [&](int tap) { return Shape::kPass == Pass::kPhases ? (tap == 0 ? 2 : 1) : 2 - tap; };
    for (int tap = 0; tap < kTaps; ++tap) c.tap[tap] = c.tiles.tap(mirrored(tap / 3), mirrored(tap % 3));
    return launch_tensor_convolution<Shape>(gpu, c);
  };
  return with_backward_shape(layer, run);
}

}  // namespace sparsepush
