#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/layers/conv2d/conv2d.h"
#include "kernels/layers/conv2d/convolution_operands.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "kernels/layers/conv2d/gradient_ranges.h"
#include "kernels/layers/conv2d/tensor_convolution.h"
#include "kernels/layers/node_products.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

/// Tiles of 64 pixels and 16, 32 or 64 channels.
template <int kSixteens>
using PixelTile = TileShape<16, 4 * kSixteens, 4>;

/// Tiles of 16, 32 or 64 output channels and 64 taps and input channels.
template <int kSixteens>
using GradientTile = TileShape<4 * kSixteens, 16, 4>;

/// Whether pixels of `channels` floats from `data` on can be read by quads.
bool are_quads(const float* data, int channels) {
  return channels % 4 == 0 && reinterpret_cast<std::uintptr_t>(data) % 16 == 0;
}

struct ForwardPass {
  Conv2dForward arrays;
  Conv2dLayer layer;
  int samples;
  Patches patches;  ///< of node 0
  WeightStrides strides;
};

/// output [samples * out pixels, out] = patches W^T + b, a product per node; mapping as in `multiply_all`.
template <int kSixteens>
__global__ void __launch_bounds__(PixelTile<kSixteens>::kThreads, PixelTile<kSixteens>::kBlocksTogether)
    conv2d_forward_kernel(ForwardPass pass) {
  const Conv2dForward& f = pass.arrays;
  const Conv2dLayer& layer = pass.layer;
  const auto product_of = [&](std::int64_t node) -> Product<PatchRows, Weights<true>> {
    Patches patches = pass.patches;
    patches.image = f.input.row(node * pass.samples);
    return {.a = PatchRows(patches),
            .b = {.data = f.x.row(node) + layer.weight,
                  .count = layer.out,
                  .depth = patches.terms,
                  .strides = pass.strides,
                  .channels = patches.channels,
                  .taps_across = patches.x.taps},
            .scale = debias_factor(f.u[node])};
  };
  multiply_all<PixelTile<kSixteens>>(
      f.x.rows, pass.patches.pixels, layer.out, product_of, [&](const auto& product, const Place& at, float(&sum)[4]) {
        const float* bias = f.x.row(at.product) + layer.bias + at.col;
        for_each_lane(at.columns, [&](int j) {
          sum[j] *= product.scale;
          if (layer.bias != Conv2dLayer::kNoBias) sum[j] += bias[j] * product.scale;
        });
        float* output = f.output.row(at.product * pass.samples);
        store_run(sum, at.columns, output + static_cast<std::int64_t>(at.row) * layer.out + at.col);
      });
}

struct ParameterGradient {
  Conv2dBackward arrays;
  Conv2dLayer layer;
  int samples;
  Patches patches;  ///< of node 0
  GradientRanges ranges;
  bool output_quads;
  float* partial;  ///< [nodes, ranges, out, columns] sums of ranges, where there are several
};

/// Where element (out, column) of the gradient as a matrix (`gradient_columns`) stands in a node's row.
constexpr std::int64_t parameter_of(const Conv2dLayer& layer, int out, int column) {
  const int channels = layer.in.channels, taps = layer.kernel * layer.kernel;
  if (column == channels * taps) return layer.bias + out;
  return layer.weight + (std::int64_t{out} * channels + column % channels) * taps + column / channels;
}

/// [dW, db] = dY^T [patches, 1], a product per (node, range of pixels); mapping as in `multiply_all`. Sums of several
/// ranges go to `partial`.
template <int kSixteens>
__global__ void __launch_bounds__(GradientTile<kSixteens>::kThreads, GradientTile<kSixteens>::kBlocksTogether)
    conv2d_parameter_gradient_kernel(ParameterGradient g) {
  const Conv2dLayer& layer = g.layer;
  const int columns = gradient_columns(layer), ranges = g.ranges.count;
  const auto product_of = [&](std::int64_t number) -> Product<Matrix<false, 4>, PatchColumns> {
    const std::int64_t node = number / ranges;
    const int begin = static_cast<int>(number % ranges) * g.ranges.length;
    Patches patches = g.patches;
    patches.image = g.arrays.input.row(node * g.samples);
    patches.pixels = std::min(begin + g.ranges.length, g.patches.pixels);
    const float* output_gradient = g.arrays.output_gradient.row(node * g.samples);
    return {.a = {output_gradient + static_cast<std::int64_t>(begin) * layer.out, layer.out, patches.pixels - begin,
                  g.output_quads},
            .b = PatchColumns(patches, begin, columns)};
  };
  multiply_all<GradientTile<kSixteens>>(
      static_cast<std::int64_t>(g.arrays.x.rows) * ranges, layer.out, columns, product_of,
      [&](const auto&, const Place& at, float(&sum)[4]) {
        if (ranges > 1)
          store_run(sum, at.columns, g.partial + (at.product * layer.out + at.row) * columns + at.col);
        else
          for_each_lane(at.columns, [&](int j) {
            g.arrays.gradient.row(at.product)[parameter_of(layer, at.row, at.col + j)] = sum[j];
          });
      });
}

/// Adds the ranges' sums, in order: a thread per (node, parameter), in strides of the grid.
__global__ void add_ranges_kernel(ParameterGradient g) {
  const int columns = gradient_columns(g.layer);
  const std::int64_t parameters = std::int64_t{g.layer.out} * columns;
  for (std::int64_t i = grid_thread(); i < g.arrays.x.rows * parameters; i += grid_threads()) {
    const std::int64_t node = i / parameters;
    const int parameter = static_cast<int>(i % parameters);
    const float* partial = g.partial + node * g.ranges.count * parameters + parameter;
    float sum = partial[0];
    for (int range = 1; range < g.ranges.count; ++range) sum += partial[range * parameters];
    g.arrays.gradient.row(node)[parameter_of(g.layer, parameter / columns, parameter % columns)] = sum;
  }
}

struct InputGradient {
  Conv2dBackward arrays;
  Conv2dLayer layer;
  int samples;
  InputPhases y, x;
  Divisor out;  ///< channels
  WeightStrides strides;
  bool output_quads;
};

/// dX = dY W at z, gathered by the input's pixels: a product per (node, phase), with the taps that reach the phase's
/// pixels; mapping as in `multiply_all`.
template <int kSixteens>
__global__ void __launch_bounds__(PixelTile<kSixteens>::kThreads, PixelTile<kSixteens>::kBlocksTogether)
    conv2d_input_gradient_kernel(InputGradient g) {
  const Conv2dLayer& layer = g.layer;
  const int stride = layer.stride, phases = stride * stride;
  const auto y_phase = [&](std::int64_t number) { return g.y.phase(static_cast<int>(number % phases) / stride); };
  const auto x_phase = [&](std::int64_t number) { return g.x.phase(static_cast<int>(number % phases) % stride); };
  const auto product_of = [&](std::int64_t number) -> Product<PatchRows, Weights<false>> {
    const std::int64_t node = number / phases;
    const InputPhases::Phase y = y_phase(number), x = x_phase(number);
    const int depth = y.taps * x.taps * layer.out;
    return {.a = PatchRows(Patches{.image = g.arrays.output_gradient.row(node * g.samples),
                                   .y = y.axis,
                                   .x = x.axis,
                                   .channels = g.out,
                                   .pixels = g.samples * y.pixels * x.pixels,
                                   .terms = depth,
                                   .quads = g.output_quads}),
            .b = {.data = g.arrays.x.row(node) + layer.weight + y.first_tap * layer.kernel + x.first_tap,
                  .count = layer.in.channels,
                  .depth = depth,
                  .strides = g.strides,
                  .channels = g.out,
                  .taps_across = x.axis.taps},
            .scale = debias_factor(g.arrays.u[node])};
  };
  multiply_all<PixelTile<kSixteens>>(
      static_cast<std::int64_t>(g.arrays.x.rows) * phases, g.samples * g.y.most_pixels() * g.x.most_pixels(),
      layer.in.channels, product_of, [&](const auto& product, const Place& at, float(&sum)[4]) {
        const InputPhases::Phase phase_y = y_phase(at.product), phase_x = x_phase(at.product);
        const GridPixel pixel = grid_pixel(phase_y.axis, phase_x.axis, at.row);
        const int y = phase_y.first_pixel + pixel.y * stride, x = phase_x.first_pixel + pixel.x * stride;
        for (float& value : sum) value *= product.scale;
        const std::int64_t sample = at.product / phases * g.samples + pixel.sample;
        store_run(sum, at.columns,
                  g.arrays.input_gradient.row(sample) + (y * layer.in.width + x) * layer.in.channels + at.col);
      });
}

/// Samples a node. Kernels number the elements of a node's samples in 32 bits, and those that taps reach beyond images.
int samples_a_node(const Conv2dLayer& layer, MatrixView<const float> x, MatrixView<const float> input) {
  const int samples = input.rows / x.rows;
  const std::int64_t largest = std::max(layer.in.size(), layer.out_shape().size());
  const ImageShape in = layer.in, out = layer.out_shape();
  const std::int64_t line = std::max(std::int64_t{in.width} * in.channels, std::int64_t{out.width} * out.channels);
  CHECK(samples * largest + (layer.kernel + layer.padding) * line <= std::numeric_limits<int>::max(),
        "samples of a node ", samples, ", elements of each ", largest);
  return samples;
}

Patches patches_of(const Conv2dLayer& layer, int samples, const float* input) {
  const ImageShape in = layer.in, out = layer.out_shape();
  return {.image = input,
          .y = output_axis(layer, in.height, out.height),
          .x = output_axis(layer, in.width, out.width),
          .channels = Divisor(in.channels),
          .pixels = samples * out.pixels(),
          .terms = layer.kernel * layer.kernel * in.channels,
          .quads = are_quads(input, in.channels)};
}

/// Launches for all nodes; sums of ranges go to `partial`.
void compute_parameter_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b,
                                float* partial) {
  const ParameterGradient parameters{.arrays = b,
                                     .layer = layer,
                                     .samples = samples,
                                     .patches = patches_of(layer, samples, b.input.data),
                                     .ranges = GradientRanges(layer, samples),
                                     .output_quads = are_quads(b.output_gradient.data, layer.out),
                                     .partial = partial};
  const std::int64_t products = std::int64_t{b.x.rows} * parameters.ranges.count;
  const int columns = gradient_columns(layer);
  with_tile_side(layer.out, [&](auto sixteens) {
    launch(gpu, launch_shape<GradientTile<sixteens()>>(gpu, products, layer.out, columns),
           conv2d_parameter_gradient_kernel<sixteens()>, parameters);
  });
  if (parameters.ranges.count == 1) return;
  constexpr int kThreads = 256;
  const std::int64_t elements = std::int64_t{b.x.rows} * layer.out * columns;
  launch(gpu, {.blocks = blocks_for(gpu, divide_up(elements, kThreads)), .threads = kThreads}, add_ranges_kernel,
         parameters);
}

void compute_input_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b) {
  const ImageShape in = layer.in, out = layer.out_shape();
  const int taps = layer.kernel * layer.kernel;
  const InputGradient input{.arrays = b,
                            .layer = layer,
                            .samples = samples,
                            .y = InputPhases(layer, in.height, out.height),
                            .x = InputPhases(layer, in.width, out.width),
                            .out = Divisor(layer.out),
                            .strides = {.vector = taps,
                                        .channel = in.channels * taps,
                                        .tap_y = layer.stride * layer.kernel,
                                        .tap_x = layer.stride},
                            .output_quads = are_quads(b.output_gradient.data, layer.out)};
  with_tile_side(in.channels, [&](auto sixteens) {
    const int pixels = samples * input.y.most_pixels() * input.x.most_pixels();
    launch(gpu,
           launch_shape<PixelTile<sixteens()>>(gpu, std::int64_t{b.x.rows} * layer.stride * layer.stride, pixels,
                                               in.channels),
           conv2d_input_gradient_kernel<sixteens()>, input);
  });
}

}  // namespace

ConvolutionRoom<Cuda>::ConvolutionRoom(const Cuda& gpu) : gpu_(&gpu) {}
ConvolutionRoom<Cuda>::~ConvolutionRoom() = default;
ConvolutionRoom<Cuda>::ConvolutionRoom(ConvolutionRoom&&) noexcept = default;

CudnnRoom& ConvolutionRoom<Cuda>::cudnn() {
  if (cudnn_ == nullptr) cudnn_ = std::make_unique<CudnnRoom>(*gpu_);
  return *cudnn_;
}

Conv2d<Cuda>::Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples)
    : Conv2d(gpu, layer, nodes, samples, std::make_unique<ConvolutionRoom<Cuda>>(gpu)) {}

Conv2d<Cuda>::Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples,
                     std::unique_ptr<ConvolutionRoom<Cuda>> room)
    : Conv2d(gpu, layer, nodes, samples, *room) {
  own_room_ = std::move(room);
}

Conv2d<Cuda>::Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples, ConvolutionRoom<Cuda>& room)
    : layer_(layer),
      partial_(gpu, nodes, layer.code == ConvolutionCode::kOwn ? static_cast<int>(range_floats(layer, samples)) : 0) {
  if (layer.code == ConvolutionCode::kCudnn)
    cudnn_ = std::make_unique<CudnnConvolution>(gpu, layer, nodes, samples, room.cudnn());
}
Conv2d<Cuda>::~Conv2d() = default;
Conv2d<Cuda>::Conv2d(Conv2d&&) noexcept = default;

void Conv2d<Cuda>::prepare(const Cuda& gpu, int samples) {
  if (cudnn_ != nullptr) cudnn_->prepare(gpu, samples);
}

void Conv2d<Cuda>::forward(const Cuda& gpu, const Conv2dForward& f) {
  check_conv2d_forward_shapes(layer_, f);
  const int samples = samples_a_node(layer_, f.x, f.input);
  if (cudnn_ != nullptr) return cudnn_->forward(gpu, f);
  if (tensor_forward(gpu, layer_, samples, f)) return;
  CHECK(f.moments.data == nullptr && !f.norm.is_wanted(), "no tensor cores, but moments ", f.moments, ", terms ",
        f.norm.terms, ": x ", f.x, ", input ", f.input);
  const int taps = layer_.kernel * layer_.kernel;
  const ForwardPass pass{
      .arrays = f,
      .layer = layer_,
      .samples = samples,
      .patches = patches_of(layer_, samples, f.input.data),
      .strides = {.vector = layer_.in.channels * taps, .channel = taps, .tap_y = layer_.kernel, .tap_x = 1}};
  with_tile_side(layer_.out, [&](auto sixteens) {
    using Shape = PixelTile<sixteens()>;
    launch(gpu, launch_shape<Shape>(gpu, f.x.rows, pass.patches.pixels, layer_.out), conv2d_forward_kernel<sixteens()>,
           pass);
  });
}

void Conv2d<Cuda>::backward(const Cuda& gpu, const Conv2dBackward& b) {
  check_conv2d_backward_shapes(layer_, b);
  const int nodes = b.x.rows, samples = samples_a_node(layer_, b.x, b.input);
  if (cudnn_ != nullptr) return cudnn_->backward(gpu, b);
  const std::int64_t room = static_cast<std::int64_t>(partial_.view().size() * sizeof(float));
  CHECK(bytes(layer_, nodes, samples) <= room, "nodes ", nodes, ", samples of each ", samples, ", room for sums ",
        room);
  float* partial = partial_.view().data;
  if (!tensor_parameter_gradient(gpu, layer_, samples, b, partial)) {
    CHECK(!b.norm.is_wanted(), "no tensor cores, but terms ", b.norm.terms, ": x ", b.x, ", input ", b.input);
    compute_parameter_gradient(gpu, layer_, samples, b, partial);
  }
  if (b.input_gradient.data == nullptr || tensor_input_gradient(gpu, layer_, samples, b)) return;
  CHECK(!b.norm_gradient.is_wanted(), "no tensor cores for a normalization's gradient: x ", b.x, ", gradient ",
        b.input_gradient);
  compute_input_gradient(gpu, layer_, samples, b);
}

}  // namespace sparsepush
