// What kernels on tensor cores demand of a layer and its arrays.
#pragma once
#include <cstdint>

#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// Shared memory that a block's two buffers may take: what blocks have on every GPU from sm_80 on, so that tiles and
/// the order of sums are the same on all.
inline constexpr std::int64_t kTensorSharedBytes = 99 * 1024;

inline bool has_tensor_shape(const Conv2dLayer& layer) {
  return layer.precision == Precision::kTf32 && layer.kernel == 3 && layer.padding == 1 && layer.stride <= 2 &&
         layer.in.channels % 16 == 0 && layer.out % 16 == 0;
}

/// Whether 16 bytes can be read or written at once: the array begins on 16 bytes. Rows and what stands in them are
/// multiples of that already, but for rows of parameters.
inline bool is_on_quads(const float* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; }
inline bool has_weights_on_quads(const Conv2dLayer& layer, MatrixView<const float> rows) {
  return is_on_quads(rows.data) && rows.cols % 4 == 0 && layer.weight % 4 == 0;
}

}  // namespace sparsepush
