// Convolutions with random numbers for the tests of conv2d.
#pragma once
#include <cmath>
#include <limits>
#include <ostream>
#include <span>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kUntouched = 99;

struct Conv2dShape {
  int height, width, channels, out, kernel, stride, padding;
  int samples = 2, nodes = 1;
  bool bias = true;
};

inline std::ostream& operator<<(std::ostream& os, const Conv2dShape& s) {
  return os << s.height << " x " << s.width << " x " << s.channels << " to " << s.out << ", kernel " << s.kernel
            << ", stride " << s.stride << ", padding " << s.padding << ", samples " << s.samples << ", nodes "
            << s.nodes << (s.bias ? "" : ", no bias");
}

/// Odd shapes, and those of real networks.
inline std::vector<Conv2dShape> chosen_shapes() {
  return {{1, 1, 1, 1, 1, 1, 0, 1},       {1, 1, 3, 6, 3, 1, 1, 2, 3},    {1, 1, 16, 17, 5, 1, 2, 7},
          {1, 1, 64, 32, 3, 2, 1, 2},     {2, 2, 6, 16, 3, 1, 1, 7, 3},   {2, 2, 17, 32, 3, 2, 1, 2},
          {2, 2, 64, 64, 1, 2, 0, 7},     {2, 2, 3, 1, 5, 2, 2, 2, 3},    {5, 8, 3, 17, 3, 2, 1, 2, 3},
          {8, 5, 33, 16, 3, 1, 1, 7},     {7, 7, 17, 33, 3, 2, 0, 7},     {13, 9, 6, 64, 5, 2, 1, 1},
          {32, 32, 3, 16, 3, 1, 1, 2, 1}, {32, 32, 16, 16, 3, 1, 1, 1},   {32, 32, 16, 32, 3, 2, 1, 2},
          {32, 32, 16, 32, 1, 2, 0, 2},   {28, 28, 1, 6, 5, 1, 2, 2, 3},  {14, 14, 6, 16, 5, 1, 0, 7},
          {31, 33, 17, 3, 3, 1, 1, 1},    {20, 10, 3, 32, 5, 1, 2, 2},    {14, 24, 8, 16, 5, 1, 0, 2, 3, false},
          {10, 10, 1, 48, 5, 1, 2, 1},    {14, 14, 7, 16, 5, 1, 0, 2, 1}, {8, 8, 64, 64, 3, 1, 1, 2},
          {32, 32, 32, 64, 3, 1, 1, 1},   {4, 6, 20, 12, 3, 3, 1, 10, 2}, {7, 5, 2, 5, 2, 3, 0, 3},
          {33, 31, 1, 2, 3, 1, 1, 5, 2},  {8, 8, 4, 70, 3, 2, 1, 3}};
}

/// The same, and every kernel, stride and padding on small images with every number of channels.
inline std::vector<Conv2dShape> shapes() {
  std::vector<Conv2dShape> all = chosen_shapes();
  const int channels[] = {1, 3, 6, 16, 17, 32, 64}, samples[] = {1, 2, 7};
  int i = 0;
  for (const int kernel : {1, 3, 5})
    for (const int stride : {1, 2})
      for (const int padding : {0, 1, 2})
        for (int pair = 0; pair < 4; ++pair, ++i)
          all.push_back({5, 5, channels[i % 7], channels[(i / 7 + 2 * i) % 7], kernel, stride, padding, samples[i % 3],
                         i % 5 == 0 ? 3 : 1, i % 2 == 0});
  return all;
}

/// Nodes with different u, their parameters among others in a longer row, and what a pass reads.
struct Conv2dCase {
  explicit Conv2dCase(const Conv2dShape& shape)
      : shape(shape),
        layer{.in = {shape.height, shape.width, shape.channels},
              .out = shape.out,
              .kernel = shape.kernel,
              .stride = shape.stride,
              .padding = shape.padding,
              .weight = 5} {
    const int end = static_cast<int>(layer.weight) + weights();
    if (shape.bias) layer.bias = end + 2;
    row = end + 2 + shape.out + 3;
    x = values(shape.nodes * row, 1);
    input = values(rows() * layer.in.size(), 2);
    output_gradient = values(rows() * layer.out_shape().size(), 3);
    for (int node = 0; node < shape.nodes; ++node) u.push_back(std::vector{0.5, 1.0, 3.0}[node % 3]);
  }
  static std::vector<float> values(int count, int salt) {
    std::vector<float> v(count);
    for (int i = 0; i < count; ++i) v[i] = std::sin(static_cast<float>(salt + 7 * i));
    return v;
  }
  /// One of the nodes alone.
  Conv2dCase of_node(int node) const {
    Conv2dCase one = *this;
    one.shape.nodes = 1;
    const auto part = [&](auto& all) {
      const auto size = all.size() / shape.nodes;
      all = {all.begin() + node * size, all.begin() + (node + 1) * size};
    };
    part(one.x), part(one.u), part(one.input), part(one.output_gradient);
    return one;
  }
  int rows() const { return shape.nodes * shape.samples; }
  int weights() const { return shape.out * shape.channels * shape.kernel * shape.kernel; }
  float z(int node, std::int64_t element) const { return x[node * row + element] * static_cast<float>(1.0 / u[node]); }

  Conv2dShape shape;
  Conv2dLayer layer;
  int row = 0;
  std::vector<float> x, input, output_gradient;
  std::vector<double> u;
};

template <class Backend>
std::vector<float> forward(const Backend& backend, Conv2d<Backend>& conv, const Conv2dCase& c) {
  const Buffer<Backend, float> x(backend, c.shape.nodes, c.row, c.x),
      input(backend, c.rows(), c.layer.in.size(), c.input);
  const Buffer<Backend, double> u(backend, c.u);
  const int outputs = c.layer.out_shape().size();
  const Buffer<Backend, float> output(backend, c.rows(), outputs, std::vector<float>(c.rows() * outputs, kNan));
  conv.forward(backend, {.x = x.view(), .u = u.span(), .input = input.view(), .output = output.view()});
  return output.to_host();
}
template <class Backend>
std::vector<float> forward(const Backend& backend, const Conv2dCase& c) {
  Conv2d<Backend> conv(backend, c.layer, c.shape.nodes, c.shape.samples);
  return forward(backend, conv, c);
}

struct Conv2dGradients {
  std::vector<float> row, input;
};
template <class Backend>
Conv2dGradients backward(const Backend& backend, Conv2d<Backend>& conv, const Conv2dCase& c, bool wants_input = true) {
  const Buffer<Backend, float> x(backend, c.shape.nodes, c.row, c.x),
      input(backend, c.rows(), c.layer.in.size(), c.input),
      output_gradient(backend, c.rows(), c.layer.out_shape().size(), c.output_gradient),
      gradient(backend, c.shape.nodes, c.row, std::vector<float>(c.x.size(), kUntouched)),
      input_gradient(backend, c.rows(), c.layer.in.size(), std::vector<float>(c.input.size(), kNan));
  const Buffer<Backend, double> u(backend, c.u);
  conv.backward(backend, {.x = x.view(),
                          .u = u.span(),
                          .input = input.view(),
                          .output_gradient = output_gradient.view(),
                          .gradient = gradient.view(),
                          .input_gradient = wants_input ? input_gradient.view() : MatrixView<float>{}});
  return {gradient.to_host(), input_gradient.to_host()};
}
template <class Backend>
Conv2dGradients backward(const Backend& backend, const Conv2dCase& c, bool wants_input = true) {
  Conv2d<Backend> conv(backend, c.layer, c.shape.nodes, c.shape.samples);
  return backward(backend, conv, c, wants_input);
}

/// Calls tap(output, input, weight) for every product in the definition of the convolution of sample `sample`: indices
/// of elements of the output, the input and a node's row.
void for_each_tap(const Conv2dCase& c, int sample, const auto& tap) {
  const ImageShape in = c.layer.in, out = c.layer.out_shape();
  const Conv2dLayer& l = c.layer;
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int o = 0; o < out.channels; ++o)
        for (int ky = 0; ky < l.kernel; ++ky)
          for (int kx = 0; kx < l.kernel; ++kx) {
            const int in_y = y * l.stride + ky - l.padding, in_x = x * l.stride + kx - l.padding;
            if (in_y < 0 || in_y >= in.height || in_x < 0 || in_x >= in.width) continue;
            for (int i = 0; i < in.channels; ++i)
              tap(((sample * out.height + y) * out.width + x) * out.channels + o,
                  ((sample * in.height + in_y) * in.width + in_x) * in.channels + i,
                  l.weight + ((o * in.channels + i) * l.kernel + ky) * l.kernel + kx);
          }
}

}  // namespace sparsepush
