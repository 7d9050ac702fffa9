#include "kernels/layers/pool.h"

#include <algorithm>
#include <type_traits>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

/// Calls body(first channel, channels as a constant) for all channels, some at a time. If it may spill, the
/// last may also lie in the next pixel, which is written later.
template <class Body>
void for_channels(int channels, bool may_spill, const Body& body) {
  if (may_spill && channels > 4 && channels < 8) return body(0, std::integral_constant<int, 8>{});
  int c = 0;
  for (; c + 8 <= channels; c += 8) body(c, std::integral_constant<int, 8>{});
  for (; c + 4 <= channels; c += 4) body(c, std::integral_constant<int, 4>{});
  for (; c + 2 <= channels; c += 2) body(c, std::integral_constant<int, 2>{});
  if (c < channels) body(c, std::integral_constant<int, 1>{});
}

/// Calls body(first element of a square's first pixel, its first output, channels as a constant) for the channels,
/// some at a time, of all 2 x 2 squares of an image.
template <class Body>
void for_each_square(const ImageShape& in, const Body& body) {
  const std::int64_t channels = in.channels, row = in.width * channels;
  std::int64_t square = 0;
  for (int y = 0; y + 1 < in.height; y += 2)
    for (int x = 0; x + 1 < in.width; x += 2, ++square)
      for_channels(in.channels, x + 3 < in.width,
                   [&](int c, auto floats) { body(y * row + x * channels + c, square * channels + c, floats); });
}

/// One square: `right` and `below` lead to the next pixel of a row and to the next row.
template <int kFloats>
void take_maximum(const float* p, std::int64_t right, std::int64_t below, float* out) {
  using Vector = typename FloatVectorOf<kFloats>::Type;
  Vector best = *reinterpret_cast<const Vector*>(p);
  for (const std::int64_t offset : {right, below, below + right}) {
    const Vector next = *reinterpret_cast<const Vector*>(p + offset);
    best = (best >= next) | (best != best) ? best : next;  // the first of equal ones, and of NaN
  }
  *reinterpret_cast<Vector*>(out) = best;
}

void take_maxima(const ImageShape& in, const float* input, float* output) {
  const std::int64_t right = in.channels, below = static_cast<std::int64_t>(in.width) * in.channels;
  for_each_square(in, [=](std::int64_t from, std::int64_t to, auto floats) {
    take_maximum<floats()>(input + from, right, below, output + to);
  });
}

template <int kFloats>
void pass_to_maximum(const float* p, std::int64_t right, std::int64_t below, const float* gradient, float* out) {
  using Vector = typename FloatVectorOf<kFloats>::Type;
  const std::int64_t offset[] = {0, right, below, below + right};
  const Vector g = *reinterpret_cast<const Vector*>(gradient), zero = {};
  Vector best = *reinterpret_cast<const Vector*>(p), passed[4] = {g, zero, zero, zero};
  for (int i = 1; i < 4; ++i) {
    const Vector next = *reinterpret_cast<const Vector*>(p + offset[i]);
    const auto stays = (best >= next) | (best != best);
    for (int k = 0; k < i; ++k) passed[k] = stays ? passed[k] : zero;
    passed[i] = stays ? zero : g;
    best = stays ? best : next;
  }
  for (int i = 0; i < 4; ++i) *reinterpret_cast<Vector*>(out + offset[i]) = passed[i];
}

void pass_to_maxima(const ImageShape& in, const float* input, const float* output_gradient, float* input_gradient) {
  const std::int64_t right = in.channels, below = static_cast<std::int64_t>(in.width) * in.channels;
  for_each_square(in, [=](std::int64_t from, std::int64_t to, auto floats) {
    pass_to_maximum<floats()>(input + from, right, below, output_gradient + to, input_gradient + from);
  });
}

/// Zeros in an odd last row and column, which belong to no square.
void clear_odd_edges(const ImageShape& in, float* input_gradient) {
  const std::int64_t channels = in.channels, row = in.width * channels;
  if (in.width % 2 == 1)
    for (int y = 0; y < in.height; ++y) std::fill_n(input_gradient + (y + 1) * row - channels, channels, 0.0f);
  if (in.height % 2 == 1) std::fill_n(input_gradient + (in.height - 1) * row, row, 0.0f);
}

void take_averages(const PoolLayer& layer, const float* __restrict input, float* __restrict output) {
  const ImageShape& in = layer.in;
  std::copy_n(input, in.channels, output);
  for (int p = 1; p < in.pixels(); ++p) {
    input += in.channels;
    for (int c = 0; c < in.channels; ++c) output[c] += input[c];
  }
  for (int c = 0; c < in.channels; ++c) output[c] *= layer.share_of_pixel();
}

void share_among_pixels(const PoolLayer& layer, const float* __restrict output_gradient,
                        float* __restrict input_gradient) {
  const ImageShape& in = layer.in;
  for (int p = 0; p < in.pixels(); ++p, input_gradient += in.channels)
    for (int c = 0; c < in.channels; ++c) input_gradient[c] = output_gradient[c] * layer.share_of_pixel();
}

/// to [cols, rows] = the transpose of from [rows, cols].
void transpose(const float* __restrict from, int rows, int cols, float* __restrict to) {
  for (int c = 0; c < cols; ++c)
    for (int r = 0; r < rows; ++r)
      to[static_cast<std::int64_t>(c) * rows + r] = from[static_cast<std::int64_t>(r) * cols + c];
}

void forward_sample(const PoolForward& f, std::int64_t sample) {
  const ImageShape& in = f.layer.in;
  const float* input = f.input.row(sample);
  float* output = f.output.row(sample);
  switch (f.layer.pool) {
    case Pool::kMax:
      return take_maxima(in, input, output);
    case Pool::kAverage:
      return take_averages(f.layer, input, output);
    case Pool::kFlatten:
      return transpose(input, in.pixels(), in.channels, output);
  }
}

void backward_sample(const PoolBackward& b, std::int64_t sample) {
  const ImageShape& in = b.layer.in;
  const float* output_gradient = b.output_gradient.row(sample);
  float* input_gradient = b.input_gradient.row(sample);
  switch (b.layer.pool) {
    case Pool::kMax:
      pass_to_maxima(in, b.input.row(sample), output_gradient, input_gradient);
      return clear_odd_edges(in, input_gradient);
    case Pool::kAverage:
      return share_among_pixels(b.layer, output_gradient, input_gradient);
    case Pool::kFlatten:
      return transpose(output_gradient, in.channels, in.pixels(), input_gradient);
  }
}

void check_pool_shapes(const PoolLayer& layer, MatrixView<const float> input, MatrixView<const float> output) {
  const ImageShape &in = layer.in, out = layer.out_shape();
  const int least = layer.pool == Pool::kMax ? 2 : 1;
  CHECK(in.height >= least && in.width >= least && in.channels >= 1, "image of ", in.height, " x ", in.width, " x ",
        in.channels);
  CHECK(input.rows >= 1 && input.cols == in.size(), "input ", input);
  CHECK(output.rows == input.rows && output.cols == out.size(), "output ", output, ", input ", input);
}

}  // namespace

void check_pool_forward_shapes(const PoolForward& f) { check_pool_shapes(f.layer, f.input, f.output); }

void pool_forward(const Cpu& cpu, const PoolForward& forward) {
  check_pool_forward_shapes(forward);
  cpu.pool().run(forward.input.rows, [&](std::int64_t sample, int) {
    run_vectorized(cpu.vector_level(), [&] { forward_sample(forward, sample); });
  });
}

void check_pool_backward_shapes(const PoolBackward& b) {
  check_pool_shapes(b.layer, b.input, b.output_gradient);
  CHECK(b.input_gradient.rows == b.input.rows && b.input_gradient.cols == b.input.cols, "input gradient ",
        b.input_gradient, ", input ", b.input);
}

void pool_backward(const Cpu& cpu, const PoolBackward& backward) {
  check_pool_backward_shapes(backward);
  cpu.pool().run(backward.input.rows, [&](std::int64_t sample, int) {
    run_vectorized(cpu.vector_level(), [&] { backward_sample(backward, sample); });
  });
}

}  // namespace sparsepush
