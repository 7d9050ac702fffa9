#include "kernels/layers/few_channels/channel_convolution.h"

#include <algorithm>

#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr int kLanes = kLineFloats, kKernel = ChannelConvolution::kKernel;
constexpr int kTile = ChannelConvolution::kTile, kSpan = kTile + kKernel - 1;
using Mask [[gnu::vector_size(4 * kLanes), gnu::may_alias]] = std::int32_t;

}  // namespace

ChannelConvolution::ChannelConvolution(const Conv2dLayer& layer)
    : layer_(layer),
      image_(layer),
      weight_(static_cast<std::size_t>(weight_floats(layer))),
      bias_(static_cast<std::size_t>(layer.out)),
      gradient_(static_cast<std::size_t>(PaddedImage::floats(layer))) {}

std::int64_t ChannelConvolution::weight_floats(const Conv2dLayer& layer) {
  const std::int64_t lines = PaddedImage::kernel_row_lines(layer);
  return lines * kLanes * kKernel * layer.out;  // of the backward pass, which has the most
}

std::int64_t ChannelConvolution::bytes(const Conv2dLayer& layer) {
  return 4 * (2 * PaddedImage::floats(layer) + weight_floats(layer) + layer.out);
}

void ChannelConvolution::forward(const float* x, float r, const float* input, int samples, float* output,
                                 VectorLevel level) {
  pack_forward(x, r);
  const auto convolve_all = [&] {
    for (int s = 0; s < samples; ++s)
      convolve(image_.take(input + std::int64_t{s} * layer_.in.size()),
               output + std::int64_t{s} * layer_.out_shape().size());
  };
  run_vectorized(level, convolve_all);
}

void ChannelConvolution::backward_input(const float* x, float r, const float* output_gradient, int samples,
                                        float* input_gradient, VectorLevel level) {
  pack_backward(x, r);
  const auto spread_all = [&] {
    for (int s = 0; s < samples; ++s) {
      spread(output_gradient + std::int64_t{s} * layer_.out_shape().size());
      put_input_gradient(input_gradient + std::int64_t{s} * layer_.in.size());
    }
  };
  run_vectorized(level, spread_all);
}

void ChannelConvolution::pack_forward(const float* x, float r) {
  const int channels = layer_.in.channels;
  const float* from = x + layer_.weight;
  for (int o = 0; o < layer_.out; ++o) {
    float* to = weight_.data() + o / kLanes * kLanes * channels * kKernel * kKernel + o % kLanes;
    for (int c = 0; c < channels; ++c)
      for (int ky = 0; ky < kKernel; ++ky)
        for (int kx = 0; kx < kKernel; ++kx, ++from) to[((ky * channels + c) * kKernel + kx) * kLanes] = *from * r;
    bias_.data()[o] = layer_.bias == Conv2dLayer::kNoBias ? 0 : x[layer_.bias + o] * r;
  }
}

void ChannelConvolution::pack_backward(const float* x, float r) {
  const int channels = layer_.in.channels;
  const float* from = x + layer_.weight;
  for (int o = 0; o < layer_.out; ++o)
    for (int c = 0; c < channels; ++c)
      for (int ky = 0; ky < kKernel; ++ky)
        for (int kx = 0; kx < kKernel; ++kx, ++from) {
          const int tap = kx * channels + c, vector = tap / kLanes;
          weight_.data()[((vector * layer_.out + o) * kKernel + ky) * kLanes + tap % kLanes] = *from * r;
        }
}

/// A row of kTile outputs at a time: every input that it meets is used by all columns of the kernel.
void ChannelConvolution::convolve(const float* image, float* output) const {
  const int channels = layer_.in.channels, row = PaddedImage::row(layer_);
  const ImageShape out = layer_.out_shape();
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; x += kTile)
      for (int o = 0; o < out.channels; o += kLanes) {
        const float* weight = weight_.data() + o * channels * kKernel * kKernel;
        FloatLine sum[kTile];
        for (FloatLine& s : sum) s = line_at(bias_.data() + o);
        for (int ky = 0; ky < kKernel; ++ky)
          for (int c = 0; c < channels; ++c, weight += kKernel * kLanes) {
            const float* in = image + (y + ky) * row + x * channels + c;
            for (int kx = 0; kx < kKernel; ++kx)
              for (int i = 0; i < kTile; ++i) sum[i] += line_at(weight + kx * kLanes) * in[(i + kx) * channels];
          }
        for (int i = 0; i < kTile; ++i) line_at(output + (y * out.width + x + i) * out.channels + o) = sum[i];
      }
}

/// Adds what every output's gradient means for the inputs that it met.
void ChannelConvolution::spread(const float* output_gradient) {
  const int channels = layer_.in.channels, row = PaddedImage::row(layer_);
  const ImageShape out = layer_.out_shape();
  std::fill_n(gradient_.data(), PaddedImage::floats(layer_), 0.0f);
  for (int y = 0; y < out.height; y += kTile)
    for (int x = 0; x < out.width; ++x)
      for (int v = 0; v < PaddedImage::kernel_row_lines(layer_); ++v)
        spread_tile(output_gradient + (y * out.width + x) * out.channels, v,
                    gradient_.data() + y * row + x * channels + v * kLanes);
}

/// A column of kTile outputs. Lanes beyond a row of the kernel add nothing, whatever the gradient is.
void ChannelConvolution::spread_tile(const float* output_gradient, int vector, float* to) const {
  const int step = layer_.out_shape().width * layer_.out, row = PaddedImage::row(layer_);
  const float* weight = weight_.data() + vector * layer_.out * kKernel * kLanes;
  FloatLine sum[kSpan] = {};
  for (int o = 0; o < layer_.out; ++o, weight += kKernel * kLanes) {
    FloatLine w[kKernel];
    for (int ky = 0; ky < kKernel; ++ky) w[ky] = line_at(weight + ky * kLanes);
    for (int i = 0; i < kTile; ++i)
      for (int ky = 0; ky < kKernel; ++ky) sum[i + ky] += w[ky] * output_gradient[i * step + o];
  }
  Mask mask = {};
  for (int i = 0; i < kLanes; ++i) mask[i] = vector * kLanes + i < kKernel * layer_.in.channels ? -1 : 0;
  for (int i = 0; i < kSpan; ++i, to += row)
    line_at(to) += reinterpret_cast<FloatLine>(reinterpret_cast<Mask>(sum[i]) & mask);
}

/// The padded image's gradient without the padding.
void ChannelConvolution::put_input_gradient(float* image) const {
  const int channels = layer_.in.channels, length = layer_.in.width * channels, row = PaddedImage::row(layer_);
  const float* from = gradient_.data() + layer_.padding * (row + channels);
  for (int y = 0; y < layer_.in.height; ++y) std::copy_n(from + y * row, length, image + y * length);
}

}  // namespace sparsepush
