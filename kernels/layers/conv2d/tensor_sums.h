// Sums beside a convolution's products on tensor cores, in fp32; for .cu files only.
#pragma once
#include <cstdint>

#include "kernels/backend/view.h"
#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

struct TensorRanges {
  const float* partial;        ///< [nodes, ranges, weights], on 16 bytes
  MatrixView<float> gradient;  ///< [nodes, row] of which the layer's weights are written
  std::int64_t weight;         ///< where weights begin in a row, a multiple of 4, as their number is
  int ranges, weights;
};

/// Adds up: gradient = the sums of the ranges' sums, in order.
void add_tensor_ranges(const Cuda& gpu, const TensorRanges& ranges);

/// Adds up db: sums of dY over a node's pixels.
void add_up_bias_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& backward);

}  // namespace sparsepush
