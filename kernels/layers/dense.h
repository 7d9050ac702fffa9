// Fully connected layers of many nodes, each with its own weights.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// A fully connected layer and where its parameters stand in a node's row, as in PyTorch: weight [out, in], bias [out].
struct DenseLayer {
  int in = 0;
  int out = 0;
  std::int64_t weight = 0;  ///< first element of the weights in the row
  std::int64_t bias = 0;    ///< first element of the bias in the row
};

/// Arguments of `dense_forward`. Samples of one node are consecutive, `samples` of them per node.
struct DenseForward {
  DenseLayer layer;
  MatrixView<const float> x;      ///< [nodes, row] push-sum numerators
  std::span<const double> u;      ///< [nodes] push-sum weights
  MatrixView<const float> input;  ///< [nodes * samples, in]
  MatrixView<float> output;       ///< [nodes * samples, out] written
  bool relu = false;              ///< output = max(output, 0); NaN stays NaN
};

/// Computes output = input W^T + b with W and b at z = x * r, r = (float)(1.0 / u): sum over k of (input_k x_k) in fp32
/// in an order that depends on the layer and `samples` only, times r, plus b r. Each output is within (in + 3) 2^-24 of
/// sum |input_k z_k| + |b| of the exact value, on every backend.
void dense_forward(const Cpu& cpu, const DenseForward& forward);
void dense_forward(const Cuda& gpu, const DenseForward& forward);

/// Checks the shapes above.
void check_dense_forward_shapes(const DenseForward& forward);

/// Arguments of `dense_backward`.
struct DenseBackward {
  DenseLayer layer;
  MatrixView<const float> x;                ///< [nodes, row]
  std::span<const double> u;                ///< [nodes]
  MatrixView<const float> input;            ///< [nodes * samples, in] as in the forward pass
  MatrixView<const float> output_gradient;  ///< [nodes * samples, out] before the ReLU of this layer
  MatrixView<float> gradient;               ///< [nodes, row] the layer's weight and bias are written, at z
  MatrixView<float> input_gradient;         ///< [nodes * samples, in] written; no data: not wanted
  bool relu = false;                        ///< input came from a ReLU: where it is 0, input_gradient is 0
};

/// Computes the gradients. With dY = output_gradient: dW = dY^T input, db = sum of dY over the node's samples, dX = dY
/// W at z, masked by the ReLU. Sums in fp32, with the bound of `dense_forward` for sums of that many terms, on every
/// backend.
void dense_backward(const Cpu& cpu, const DenseBackward& backward);
void dense_backward(const Cuda& gpu, const DenseBackward& backward);

/// Checks the shapes above.
void check_dense_backward_shapes(const DenseBackward& backward);

/// Makes every product run on the thread that calls it: sums must not depend on a number of threads, and parallelism is
/// over nodes. It is a setting of the process; call it before the ops above. A GPU needs none.
void use_single_threaded_products(const Cpu& cpu);
inline void use_single_threaded_products(const Cuda&) {}

}  // namespace sparsepush
