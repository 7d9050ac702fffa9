// Layers without parameters that make images smaller, or flat.
#pragma once
#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/layers/image_shape.h"

namespace sparsepush {

enum class Pool {
  kMax,      ///< of each 2 x 2 square; an odd last row or column is left out, as in PyTorch
  kAverage,  ///< over all pixels of a channel: one pixel is left
  kFlatten,  ///< nothing but the order: channels first, as PyTorch flattens images
};

struct PoolLayer {
  Pool pool = Pool::kMax;
  ImageShape in;

  constexpr ImageShape out_shape() const {
    if (pool == Pool::kMax) return {in.height / 2, in.width / 2, in.channels};
    return pool == Pool::kAverage ? ImageShape{1, 1, in.channels} : ImageShape{1, 1, in.size()};
  }
  /// Returns what kAverage multiplies by.
  constexpr float share_of_pixel() const { return static_cast<float>(1.0 / in.pixels()); }
};

struct PoolForward {
  PoolLayer layer;
  MatrixView<const float> input;  ///< [samples, in]
  MatrixView<float> output;       ///< [samples, out_shape] written
};

/// Averages are fp32 sums over pixels in order, times share_of_pixel(). Of a square the maximum is the first of
/// its largest elements, rows before columns, where a NaN is larger than all numbers. Backends agree exactly. Here and
/// in the backward pass arrays that are written overlap no others, and on Cuda arrays begin on 16 bytes where channels
/// are a multiple of 4, unless nothing but the order changes.
void pool_forward(const Cpu& cpu, const PoolForward& forward);
void pool_forward(const Cuda& gpu, const PoolForward& forward);

struct PoolBackward {
  PoolLayer layer;
  MatrixView<const float> input;            ///< as in the forward pass
  MatrixView<const float> output_gradient;  ///< [samples, out_shape]
  MatrixView<float> input_gradient;         ///< [samples, in] written
};

/// Computes the input's gradient: that of a maximum goes to the element that was taken, an average's in equal shares,
/// times share_of_pixel(). Backends agree exactly.
void pool_backward(const Cpu& cpu, const PoolBackward& backward);
void pool_backward(const Cuda& gpu, const PoolBackward& backward);

/// Checks the shapes above.
void check_pool_forward_shapes(const PoolForward& forward);
void check_pool_backward_shapes(const PoolBackward& backward);

}  // namespace sparsepush
