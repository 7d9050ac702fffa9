#include "kernels/layers/few_channels/plane_convolution.h"

#include <algorithm>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr int kLanes = kLineFloats, kVectors = 4, kStep = kLanes * kVectors;  // AVX-512 has registers for 24 sums
constexpr int kChannels = PlaneConvolution::kChannels;

using Mask [[gnu::vector_size(4 * kLanes), gnu::aligned(4), gnu::may_alias]] = std::int32_t;

/// How kCount vectors become one: vector `to` takes its lanes one after the other from vector[to][lane].
template <int kCount>
struct Shuffles {
  std::int32_t lane[kCount][kCount - 1][kLanes];

  /// Step s, from 1 on, puts what comes from vector s beside what is there.
  constexpr void put(int to, int at, int from, int from_lane) {
    for (int s = 1; s < kCount; ++s) lane[to][s - 1][at] = from == s ? kLanes + from_lane : at;
    if (from == 0) lane[to][0][at] = from_lane;
  }
};

template <int kCount>
constexpr Shuffles<kCount> pixels_to_planes = [] {
  Shuffles<kCount> shuffles{};
  for (int c = 0; c < kCount; ++c)
    for (int i = 0; i < kLanes; ++i) shuffles.put(c, i, (i * kCount + c) / kLanes, (i * kCount + c) % kLanes);
  return shuffles;
}();

template <int kCount>
constexpr Shuffles<kCount> planes_to_pixels = [] {
  Shuffles<kCount> shuffles{};
  for (int v = 0; v < kCount; ++v)
    for (int i = 0; i < kLanes; ++i) shuffles.put(v, i, (v * kLanes + i) % kCount, (v * kLanes + i) / kCount);
  return shuffles;
}();

/// kCount vectors that stand `from_step` apart become as many that stand `to_step` apart.
template <int kCount>
void shuffle(const Shuffles<kCount>& shuffles, const float* from, int from_step, float* to, int to_step) {
  FloatLine in[kCount];
  for (int v = 0; v < kCount; ++v) in[v] = line_at(from + v * from_step);
  for (int v = 0; v < kCount; ++v) {
    FloatLine out = in[0];
    for (int s = 1; s < kCount; ++s)
      out = __builtin_shuffle(out, in[s], *reinterpret_cast<const Mask*>(shuffles.lane[v][s - 1]));
    line_at(to + v * to_step) = out;
  }
}

/// planes[c * plane_step + i] = pixels[i * channels + c], kCount channels by whole vectors, of which the last may do
/// again what another one did.
template <int kCount>
void take_planes_of(const float* pixels, int count, float* planes, int plane_step) {
  for (int i = 0; i < count; i += kLanes) {
    const int first = std::min(i, count - kLanes);
    shuffle<kCount>(pixels_to_planes<kCount>, pixels + first * kCount, kLanes, planes + first, plane_step);
  }
}
void take_planes(const float* pixels, int count, int channels, float* planes, int plane_step) {
  if (channels == 3 && count >= kLanes) return take_planes_of<3>(pixels, count, planes, plane_step);
  for (int c = 0; c < channels; ++c)
    for (int i = 0; i < count; ++i) planes[c * plane_step + i] = pixels[i * channels + c];
}

/// pixels[i * channels + c] = block[c * kStep + i] for all kStep values of i.
void take_pixels(const float* block, int channels, float* pixels) {
  if (channels == 6) {
    for (int i = 0; i < kStep; i += kLanes)
      shuffle<6>(planes_to_pixels<6>, block + i, kStep, pixels + i * channels, kLanes);
    return;
  }
  for (int i = 0; i < kStep; ++i)
    for (int c = 0; c < channels; ++c) pixels[i * channels + c] = block[c * kStep + i];
}

}  // namespace

PlaneConvolution::Planes::Planes(const Conv2dLayer& layer)
    : width(layer.in.width + 2 * layer.padding),
      positions(rounded_up((layer.out_shape().height - 1) * width + layer.out_shape().width, kStep)),
      length(rounded_up(positions + (layer.kernel - 1) * (width + 1), kLanes)) {}

PlaneConvolution::PlaneConvolution(const Conv2dLayer& layer)
    : layer_(layer),
      planes_(layer),
      input_(static_cast<std::size_t>(layer.in.channels) * planes_.length),
      weight_(static_cast<std::size_t>(taps(layer_) + 1) * kChannels) {}

std::int64_t PlaneConvolution::bytes(const Conv2dLayer& layer) {
  const Planes planes(layer);
  return 4 * ((taps(layer) + std::int64_t{1}) * kChannels + std::int64_t{layer.in.channels} * planes.length);
}

void PlaneConvolution::forward(const float* x, float r, const float* input, int samples, float* output,
                               VectorLevel level) {
  for (int o = 0; o < layer_.out; ++o) {
    float* weight = weight_.data() + o;
    for (int t = 0; t < taps(layer_); ++t) weight[t * kChannels] = x[layer_.weight + o * taps(layer_) + t] * r;
    if (layer_.bias != Conv2dLayer::kNoBias) weight[taps(layer_) * kChannels] = x[layer_.bias + o] * r;
  }
  run_vectorized(level, [&] { forward_samples(input, samples, output); });
}

void PlaneConvolution::forward_samples(const float* input, int samples, float* output) {
  for (int s = 0; s < samples; ++s, input += layer_.in.size(), output += layer_.out_shape().size()) {
    take_input(input);
    convolve(output);
  }
}

void PlaneConvolution::take_input(const float* image) {
  const ImageShape in = layer_.in;
  float* first = input_.data() + layer_.padding * (planes_.width + 1);
  for (int y = 0; y < in.height; ++y)
    take_planes(image + y * in.width * in.channels, in.width, in.channels, first + y * planes_.width, planes_.length);
}

/// block: [kChannels, kStep] sums of the positions from `first` on.
void PlaneConvolution::put_outputs(const float* block, int first, float* image) const {
  const ImageShape out = layer_.out_shape();
  float pixels[kChannels * kStep];
  take_pixels(block, out.channels, pixels);
  for (int i = 0, end; i < kStep; i = end) {
    const int y = (first + i) / planes_.width, x = (first + i) % planes_.width;
    end = std::min(kStep, i + planes_.width - x);
    const int outputs = std::min(end - i, out.width - x);
    if (y < out.height && outputs > 0)
      std::copy_n(pixels + i * out.channels, outputs * out.channels, image + (y * out.width + x) * out.channels);
  }
}

void PlaneConvolution::convolve(float* image) {
  const float *weights = weight_.data(), *bias = weights + taps(layer_) * kChannels;
  for (int first = 0; first < planes_.positions; first += kStep) {
    FloatLine sum[kChannels][kVectors];
    for (int c = 0; c < kChannels; ++c)
      for (int v = 0; v < kVectors; ++v) sum[c][v] = FloatLine{} + bias[c];
    const float* weight = weights;
    for (int channel = 0; channel < layer_.in.channels; ++channel)
      for (int ky = 0; ky < layer_.kernel; ++ky) {
        const float* in = input_.data() + channel * planes_.length + first + ky * planes_.width;
        for (int kx = 0; kx < layer_.kernel; ++kx, ++in, weight += kChannels)
          for (int v = 0; v < kVectors; ++v) {
            const FloatLine x = line_at(in + v * kLanes);
            for (int c = 0; c < kChannels; ++c) sum[c][v] += weight[c] * x;
          }
      }
    float block[kChannels * kStep];
    for (int c = 0; c < kChannels; ++c)
      for (int v = 0; v < kVectors; ++v) line_at(block + c * kStep + v * kLanes) = sum[c][v];
    put_outputs(block, first, image);
  }
}

}  // namespace sparsepush
