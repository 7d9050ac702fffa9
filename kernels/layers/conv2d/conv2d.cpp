#include "kernels/layers/conv2d/conv2d.h"

#include <algorithm>
#include <utility>

#include "kernels/backend/check.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "kernels/layers/conv2d/gradient_ranges.h"
#include "kernels/layers/conv2d/onednn_convolution.h"
#include "kernels/layers/conv2d/tensor_tiles.h"
#include "kernels/layers/few_channels/channel_convolution.h"
#include "kernels/layers/few_channels/plane_convolution.h"
#include "kernels/layers/few_channels/tap_gradient.h"
#include "kernels/layers/normalize/normalize_terms.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

/// What both directions share: parameters inside the row, and `samples` rows per node on both sides of the layer.
void check_layer_shapes(const Conv2dLayer& layer, MatrixView<const float> x, std::span<const double> u,
                        MatrixView<const float> input, MatrixView<const float> output) {
  const ImageShape in = layer.in;
  CHECK(in.height >= 1 && in.width >= 1 && in.channels >= 1 && layer.out >= 1, "layer of ", in.height, " x ", in.width,
        " x ", in.channels, " to ", layer.out);
  CHECK(layer.kernel >= 1 && layer.stride >= 1 && layer.padding >= 0, "kernel ", layer.kernel, ", stride ",
        layer.stride, ", padding ", layer.padding);
  CHECK(layer.kernel <= std::min(in.height, in.width) + 2 * layer.padding, "kernel ", layer.kernel, ", image ",
        in.height, " x ", in.width, ", padding ", layer.padding);
  const std::int64_t weights = std::int64_t{layer.out} * in.channels * layer.kernel * layer.kernel;
  CHECK(layer.weight >= 0 && layer.weight + weights <= x.cols, "weights at ", layer.weight, ", x ", x);
  CHECK(layer.bias == Conv2dLayer::kNoBias || (layer.bias >= 0 && layer.bias + layer.out <= x.cols), "bias at ",
        layer.bias, ", x ", x);
  CHECK(x.rows >= 1 && u.size() == static_cast<std::size_t>(x.rows), "x ", x, ", u ", u.size());
  CHECK(input.cols == in.size() && input.rows >= 1 && input.rows % x.rows == 0, "input ", input, ", x ", x);
  CHECK(output.cols == layer.out_shape().size() && output.rows == input.rows, "output ", output, ", input ", input);
}

void check_norm(const Conv2dLayer& layer, MatrixView<const float> x, MatrixView<const float> input,
                const NormOnLoad& norm) {
  if (!norm.is_wanted()) return;
  CHECK(can_normalize_on_load(layer, input.rows / x.rows), "a layer of ", layer.in.channels, " to ", layer.out,
        " channels that cannot normalize its input");
  CHECK(norm.terms.rows == x.rows && norm.terms.cols >= NormOnLoad::kNumbers * layer.in.channels &&
            norm.terms.cols % 4 == 0 && is_on_quads(norm.terms.data),
        "terms ", norm.terms, ", x ", x);
}

void check_norm_gradient(const Conv2dLayer& layer, const Conv2dBackward& b) {
  const NormGradient& norm = b.norm_gradient;
  if (!norm.is_wanted()) return;
  const int channels = layer.in.channels, tiles = norm_gradient_tiles(layer, b.input.rows / b.x.rows);
  CHECK(tiles > 0 && norm.sums.tiles == tiles, "sums of ", norm.sums.tiles, " tiles, of which there are ", tiles);
  CHECK(norm.sums.sums.rows == b.x.rows && norm.sums.sums.cols >= NormGradientSums::doubles(tiles, channels), "sums ",
        norm.sums.sums, ", tiles ", tiles);
  const auto check_like_input = [&](MatrixView<const float> array) {
    CHECK(array.rows == b.input.rows && array.cols == layer.in.size() && is_on_quads(array.data), "array ", array,
          ", input ", b.input);
  };
  CHECK(b.input_gradient.data != nullptr, "no gradient of the input");
  check_like_input(norm.input);
  CHECK(norm.saved.rows == b.x.rows && norm.saved.cols >= channels, "saved ", norm.saved);
  if (norm.output.data != nullptr)
    check_like_input(norm.output);
  else
    CHECK(norm.terms.rows == b.x.rows && norm.terms.cols >= NormOnLoad::kNumbers * channels, "terms ", norm.terms);
  if (norm.skip_gradient.data == nullptr) return;
  CHECK(norm.skip_shape == layer.in || is_option_a(layer.in, norm.skip_shape), "shortcut to ", norm.skip_shape.height,
        " x ", norm.skip_shape.width, " x ", norm.skip_shape.channels);
  CHECK(norm.skip_gradient.rows == b.input.rows && norm.skip_gradient.cols == norm.skip_shape.size() &&
            is_on_quads(norm.skip_gradient.data),
        "skip gradient ", norm.skip_gradient, ", input ", b.input);
}

}  // namespace

void check_conv2d_forward_shapes(const Conv2dLayer& layer, const Conv2dForward& f) {
  check_layer_shapes(layer, f.x, f.u, f.input, f.output);
  check_norm(layer, f.x, f.input, f.norm);
  if (f.moments.data == nullptr) return;
  const MomentTiles tiles = moment_tiles(layer, f.input.rows / f.x.rows);
  CHECK(tiles.count > 0, "moments of a layer that leaves none: ", layer.in.channels, " to ", layer.out, " channels");
  CHECK(f.moments.rows == f.x.rows && f.moments.cols >= tiles.doubles(layer.out), "moments ", f.moments, ", tiles ",
        tiles.count, " of ", tiles.pixels, " pixels");
}

void check_conv2d_backward_shapes(const Conv2dLayer& layer, const Conv2dBackward& b) {
  check_layer_shapes(layer, b.x, b.u, b.input, b.output_gradient);
  CHECK(b.gradient.rows == b.x.rows && b.gradient.cols == b.x.cols, "gradient ", b.gradient, ", x ", b.x);
  CHECK(b.input_gradient.data == nullptr ||
            (b.input_gradient.rows == b.input.rows && b.input_gradient.cols == b.input.cols),
        "input gradient ", b.input_gradient, ", input ", b.input);
  check_norm(layer, b.x, b.input, b.norm);
  check_norm_gradient(layer, b);
}

/// The loops that compute where oneDNN is slow with vectors of 16, at few channels as LeNet-5 has them:
///
///   layer                         output     gradient of parameters   gradient of the input
///   PlaneConvolution::suits       planes     taps                     oneDNN
///   ChannelConvolution::suits     channels   taps                     channels
///   any other                     oneDNN     oneDNN                   oneDNN
///
/// No layer suits two: at most 6 channels out, a multiple of 16 channels out. With narrower vectors oneDNN computes
/// all: there our loops, written for vectors of 16, take 2 to 35 times as long, but for one pass
/// (bench/kernels/layers/conv2d/conv2d_bench.cpp).
struct Conv2d<Cpu>::OwnLoops {
  OwnLoops() = default;
  explicit OwnLoops(const Conv2dLayer& layer) {
    if (PlaneConvolution::suits(layer)) planes = std::make_unique<PlaneConvolution>(layer);
    if (ChannelConvolution::suits(layer)) channels = std::make_unique<ChannelConvolution>(layer);
    if (planes != nullptr || channels != nullptr) taps = std::make_unique<TapGradient>(layer);
  }

  std::unique_ptr<PlaneConvolution> planes;
  std::unique_ptr<ChannelConvolution> channels;
  std::unique_ptr<TapGradient> taps;
};

Conv2d<Cpu>::Conv2d(const Cpu& /*cpu*/, const Conv2dLayer& layer, int /*nodes*/, int /*samples*/) : layer_(layer) {}
Conv2d<Cpu>::~Conv2d() = default;
Conv2d<Cpu>::Conv2d(Conv2d&&) noexcept = default;

std::int64_t Conv2d<Cpu>::bytes(const Conv2dLayer& layer, int /*nodes*/, int samples, VectorLevel level) {
  const bool wide = level == VectorLevel::kAvx512;
  if (wide && ChannelConvolution::suits(layer)) return ChannelConvolution::bytes(layer) + TapGradient::bytes(layer);
  const std::int64_t scratch = OnednnConvolution(layer, samples).scratch_bytes();
  if (wide && PlaneConvolution::suits(layer))
    return PlaneConvolution::bytes(layer) + TapGradient::bytes(layer) + scratch;
  return scratch;
}

std::int64_t Conv2d<Cuda>::bytes(const Conv2dLayer& layer, int nodes, int samples) {
  if (layer.code == ConvolutionCode::kCudnn) return CudnnMemory(layer, samples).bytes(nodes);
  return nodes * range_floats(layer, samples) * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t Conv2d<Cuda>::room_bytes(const Conv2dLayer& layer, int samples) {
  return layer.code == ConvolutionCode::kCudnn ? CudnnMemory(layer, samples).most_workspace : 0;
}

const OnednnConvolution& Conv2d<Cpu>::prepared_for(int samples) {
  std::unique_ptr<OnednnConvolution>& prepared = prepared_[samples];
  if (prepared == nullptr) {
    auto made = std::make_unique<OnednnConvolution>(layer_, samples);
    const std::size_t lines = made->scratch_bytes() / sizeof(CacheLine);
    if (lines > scratch_.size()) scratch_ = std::vector<CacheLine>(lines);
    prepared = std::move(made);
  }
  return *prepared;
}

const Conv2d<Cpu>::OwnLoops& Conv2d<Cpu>::own(const Cpu& cpu) {
  static const OwnLoops kNone;
  if (cpu.vector_level() != VectorLevel::kAvx512) return kNone;
  if (own_ == nullptr) own_ = std::make_unique<OwnLoops>(layer_);
  return *own_;
}

void Conv2d<Cpu>::forward(const Cpu& cpu, const Conv2dForward& f) {
  check_conv2d_forward_shapes(layer_, f);
  CHECK(f.moments.data == nullptr && !f.norm.is_wanted(), "moments ", f.moments, " and terms ", f.norm.terms,
        " on a Cpu");
  const int samples = f.input.rows / f.x.rows;
  const OwnLoops& own = this->own(cpu);
  for (int node = 0; node < f.x.rows; ++node) {
    const std::int64_t first = static_cast<std::int64_t>(node) * samples;
    const float *x = f.x.row(node), *input = f.input.row(first);
    const float r = debias_factor(f.u[node]);
    float* output = f.output.row(first);
    if (own.planes != nullptr)
      own.planes->forward(x, r, input, samples, output, cpu.vector_level());
    else if (own.channels != nullptr)
      own.channels->forward(x, r, input, samples, output, cpu.vector_level());
    else
      prepared_for(samples).forward({x, r}, input, output, scratch_.data()->bytes);
  }
}

void Conv2d<Cpu>::backward(const Cpu& cpu, const Conv2dBackward& b) {
  check_conv2d_backward_shapes(layer_, b);
  CHECK(!b.norm.is_wanted() && !b.norm_gradient.is_wanted(), "a normalization's part on a Cpu");
  const int samples = b.input.rows / b.x.rows;
  const OwnLoops& own = this->own(cpu);
  for (int node = 0; node < b.x.rows; ++node) {
    const std::int64_t first = static_cast<std::int64_t>(node) * samples;
    const float *x = b.x.row(node), *input = b.input.row(first), *output_gradient = b.output_gradient.row(first);
    const float r = debias_factor(b.u[node]);
    float* gradient = b.gradient.row(node);
    if (own.taps != nullptr)
      own.taps->take(input, output_gradient, samples, gradient, cpu.vector_level());
    else
      prepared_for(samples).backward_parameters(input, output_gradient, gradient, scratch_.data()->bytes);
    if (b.input_gradient.data == nullptr) continue;
    float* input_gradient = b.input_gradient.row(first);
    if (own.channels != nullptr)
      own.channels->backward_input(x, r, output_gradient, samples, input_gradient, cpu.vector_level());
    else
      prepared_for(samples).backward_input({x, r}, output_gradient, input_gradient, scratch_.data()->bytes);
  }
}

}  // namespace sparsepush
