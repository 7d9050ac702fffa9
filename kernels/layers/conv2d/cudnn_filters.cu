#include <cstdint>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/divisor.h"
#include "kernels/layers/conv2d/cudnn_filters.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// Where the weights of a filter stand in a row.
struct FilterOrder {
  explicit FilterOrder(const Conv2dLayer& layer)
      : first(layer.weight),
        weights(layer.out * layer.in.channels * layer.kernel * layer.kernel),
        channels(layer.in.channels),
        taps(layer.kernel * layer.kernel),
        filter(layer.in.channels * layer.kernel * layer.kernel) {}

  std::int64_t first;
  int weights;
  Divisor channels, taps, filter;  ///< floats of an output's filter

  /// Returns where weight `number` of a row, counted from the first, stands in `filters`.
  constexpr int in_filters(int number) const {
    const int out = filter.divide(number), in_filter = number - out * filter.value();
    const int channel = taps.divide(in_filter), tap = in_filter - channel * taps.value();
    return out * filter.value() + tap * channels.value() + channel;
  }
};

/// A thread per (node, weight), in the order of rows and in strides of the grid.
__global__ void write_filters_kernel(FilterOrder order, MatrixView<const float> x, std::span<const double> u,
                                     MatrixView<float> filters) {
  for (std::int64_t i = grid_thread(); i < std::int64_t{x.rows} * order.weights; i += grid_threads()) {
    const std::int64_t node = i / order.weights;
    const int number = static_cast<int>(i - node * order.weights);
    filters.row(node)[order.in_filters(number)] = x.row(node)[order.first + number] * debias_factor(u[node]);
  }
}

/// Likewise.
__global__ void read_filter_gradient_kernel(FilterOrder order, MatrixView<const float> filters,
                                            MatrixView<float> gradient) {
  for (std::int64_t i = grid_thread(); i < std::int64_t{gradient.rows} * order.weights; i += grid_threads()) {
    const std::int64_t node = i / order.weights;
    const int number = static_cast<int>(i - node * order.weights);
    gradient.row(node)[order.first + number] = filters.row(node)[order.in_filters(number)];
  }
}

/// A thread per output element, in strides of the grid.
__global__ void add_biases_kernel(Conv2dForward f, std::int64_t bias, Divisor channels, std::int64_t node_elements) {
  for (std::int64_t i = grid_thread(); i < f.x.rows * node_elements; i += grid_threads()) {
    const std::int64_t node = i / node_elements;
    const int element = static_cast<int>(i - node * node_elements);
    const int channel = element - channels.divide(element) * channels.value();
    f.output.data[i] += f.x.row(node)[bias + channel] * debias_factor(f.u[node]);
  }
}

}  // namespace

void write_filters(const Cuda& gpu, const Conv2dLayer& layer, MatrixView<const float> x, std::span<const double> u,
                   MatrixView<float> filters) {
  const FilterOrder order(layer);
  launch(gpu, thread_each(gpu, std::int64_t{x.rows} * order.weights, kThreads), write_filters_kernel, order, x, u,
         filters);
}

void read_filter_gradient(const Cuda& gpu, const Conv2dLayer& layer, MatrixView<const float> filters,
                          MatrixView<float> gradient) {
  const FilterOrder order(layer);
  launch(gpu, thread_each(gpu, std::int64_t{gradient.rows} * order.weights, kThreads), read_filter_gradient_kernel,
         order, filters, gradient);
}

void add_biases(const Cuda& gpu, const Conv2dLayer& layer, const Conv2dForward& f) {
  const std::int64_t elements = std::int64_t{f.output.rows} * f.output.cols;
  launch(gpu, thread_each(gpu, elements, kThreads), add_biases_kernel, f, layer.bias, Divisor(layer.out),
         elements / f.x.rows);
}

}  // namespace sparsepush
