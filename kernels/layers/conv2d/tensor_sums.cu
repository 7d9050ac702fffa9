#include <cstdint>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"
#include "kernels/layers/conv2d/tensor_sums.h"

namespace sparsepush {
namespace {

/// Adds the ranges' sums, in order: a thread per four weights of a node, in strides of the grid.
__global__ void add_tensor_ranges_kernel(TensorRanges c) {
  const std::int64_t quads = c.weights / 4;
  for (std::int64_t i = grid_thread(); i < c.gradient.rows * quads; i += grid_threads()) {
    const std::int64_t node = i / quads, quad = i - node * quads;
    const float* partial = c.partial + node * c.ranges * c.weights;
    Quad sum = load_quad(partial, quad);
    for (int range = 1; range < c.ranges; ++range) {
      const Quad more = load_quad(partial + static_cast<std::int64_t>(range) * c.weights, quad);
      for (int lane = 0; lane < 4; ++lane) sum.lane[lane] += more.lane[lane];
    }
    store_quad(sum, c.gradient.row(node) + c.weight, quad);
  }
}

constexpr int kBiasWarps = 8;

struct BiasGradient {
  const float* output_gradient;  ///< [nodes * pixels, channels]
  MatrixView<float> gradient;
  std::int64_t bias;
  int pixels, channels;  ///< pixels of all samples of a node
};

/// A block per (node, 32 channels), in strides of the grid; a warp has every eighth pixel, and their sums are added in
/// order.
__global__ void __launch_bounds__(32 * kBiasWarps) tensor_bias_kernel(BiasGradient c) {
  __shared__ float part[kBiasWarps][32];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int blocks = (c.channels + 31) / 32;
  for (std::int64_t item = blockIdx.x; item < std::int64_t{c.gradient.rows} * blocks; item += gridDim.x) {
    const std::int64_t node = item / blocks;
    const int channel = static_cast<int>(item - node * blocks) * 32 + lane;
    const float* from = c.output_gradient + node * c.pixels * c.channels + channel;
    float sum = 0;
    for (int pixel = warp; pixel < c.pixels && channel < c.channels; pixel += kBiasWarps)
      sum += from[pixel * c.channels];
    part[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && channel < c.channels) {
      for (int other = 1; other < kBiasWarps; ++other) sum += part[other][lane];
      c.gradient.row(node)[c.bias + channel] = sum;
    }
    __syncthreads();
  }
}

}  // namespace

void add_tensor_ranges(const Cuda& gpu, const TensorRanges& ranges) {
  constexpr int kThreads = 256;
  const std::int64_t quads = ranges.gradient.rows * std::int64_t{ranges.weights} / 4;
  launch(gpu, {.blocks = blocks_for(gpu, divide_up(quads, kThreads)), .threads = kThreads}, add_tensor_ranges_kernel,
         ranges);
}

void add_up_bias_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& b) {
  const std::int64_t items = b.x.rows * divide_up(layer.out, 32);
  launch(gpu, {.blocks = blocks_for(gpu, items), .threads = 32 * kBiasWarps}, tensor_bias_kernel,
         BiasGradient{.output_gradient = b.output_gradient.data,
                      .gradient = b.gradient,
                      .bias = layer.bias,
                      .pixels = samples * layer.out_shape().pixels(),
                      .channels = layer.out});
}

}  // namespace sparsepush
