#include "kernels/layers/few_channels/tap_gradient.h"

#include <algorithm>

#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

/// sums[i] += values[i]
void add(const float* __restrict values, int count, float* __restrict sums) {
  for (int i = 0; i < count; ++i) sums[i] += values[i];
}

}  // namespace

TapGradient::TapGradient(const Conv2dLayer& layer)
    : layer_(layer),
      image_(layer),
      sums_(static_cast<std::size_t>(layer.out) * strips() * kLanes),
      bias_sums_(static_cast<std::size_t>(layer.out) * kLanes) {}

std::int64_t TapGradient::bytes(const Conv2dLayer& layer) {
  return 4 * (PaddedImage::floats(layer) +
              std::int64_t{layer.out} * (layer.kernel * PaddedImage::kernel_row_lines(layer) + 1) * kLanes);
}

void TapGradient::take(const float* input, const float* output_gradient, int samples, float* gradient,
                       VectorLevel level) {
  const ImageShape out = layer_.out_shape();
  std::fill_n(sums_.data(), layer_.out * strips() * kLanes, 0.0f);
  const auto add_all = [&] {
    for (int s = 0; s < samples; ++s)
      add_sample(image_.take(input + std::int64_t{s} * layer_.in.size()),
                 output_gradient + std::int64_t{s} * out.size());
  };
  run_vectorized(level, add_all);
  put_weights(gradient);
  if (layer_.bias == Conv2dLayer::kNoBias) return;
  run_vectorized(level, [&] { take_bias(output_gradient, samples * out.pixels(), gradient + layer_.bias); });
}

/// Tiles of as many outputs and strips as leave registers for their factors.
void TapGradient::add_sample(const float* image, const float* output_gradient) {
  int o = 0;
  while (layer_.out - o >= 8) o = add_outputs<8, 2>(image, output_gradient, o);
  while (layer_.out - o >= 6) o = add_outputs<6, 3>(image, output_gradient, o);
  while (o < layer_.out) o = add_outputs<1, 5>(image, output_gradient, o);
}

/// Returns the first output after these.
template <int kOuts, int kStrips>
int TapGradient::add_outputs(const float* image, const float* output_gradient, int first) {
  float* sums = sums_.data() + first * strips() * kLanes;
  int strip = 0;
  for (; strip + kStrips <= strips(); strip += kStrips)
    add_tile<kOuts, kStrips>(image, output_gradient + first, strip, sums);
  for (; strip + 2 <= strips(); strip += 2) add_tile<kOuts, 2>(image, output_gradient + first, strip, sums);
  for (; strip < strips(); ++strip) add_tile<kOuts, 1>(image, output_gradient + first, strip, sums);
  return first + kOuts;
}

/// The sums of a sample are taken alone first, which rounds less.
template <int kOuts, int kStrips>
void TapGradient::add_tile(const float* image, const float* output_gradient, int strip, float* sums) const {
  const ImageShape out = layer_.out_shape();
  const int row = PaddedImage::row(layer_), channels = layer_.in.channels;
  const int lines = PaddedImage::kernel_row_lines(layer_);
  int offset[kStrips];
  for (int s = 0; s < kStrips; ++s) offset[s] = (strip + s) / lines * row + (strip + s) % lines * kLanes;
  FloatLine sum[kOuts][kStrips] = {};
  for (int y = 0; y < out.height; ++y) {
    const float* pixel = image + y * row;
    for (int x = 0; x < out.width; ++x, pixel += channels, output_gradient += out.channels)
      for (int s = 0; s < kStrips; ++s) {
        const FloatLine in = line_at(pixel + offset[s]);
        for (int o = 0; o < kOuts; ++o) sum[o][s] += in * output_gradient[o];
      }
  }
  for (int o = 0; o < kOuts; ++o)
    for (int s = 0; s < kStrips; ++s) line_at(sums + (o * strips() + strip + s) * kLanes) += sum[o][s];
}

void TapGradient::put_weights(float* gradient) {
  const int channels = layer_.in.channels, kernel = layer_.kernel;
  const float* sums = sums_.data();
  float* weight = gradient + layer_.weight;
  for (int o = 0; o < layer_.out; ++o, weight += channels * kernel * kernel)
    for (int ky = 0; ky < kernel; ++ky, sums += PaddedImage::kernel_row_lines(layer_) * kLanes)
      for (int kx = 0; kx < kernel; ++kx)
        for (int c = 0; c < channels; ++c) weight[(c * kernel + ky) * kernel + kx] = sums[kx * channels + c];
}

/// Every kLanes-th pixel goes to the same sums.
void TapGradient::take_bias(const float* output_gradient, int pixels, float* gradient) {
  const int out = layer_.out;
  std::fill_n(bias_sums_.data(), out * kLanes, 0.0f);
  for (int p = 0; p < pixels; p += kLanes)
    add(output_gradient + std::int64_t{p} * out, std::min(kLanes, pixels - p) * out, bias_sums_.data());
  std::copy_n(bias_sums_.data(), out, gradient);
  for (int i = 1; i < kLanes; ++i) add(bias_sums_.data() + i * out, out, gradient);
}

}  // namespace sparsepush
