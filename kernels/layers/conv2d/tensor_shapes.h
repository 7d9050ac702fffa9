// What kernels on tensor cores demand of a layer and its arrays.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// Shared memory that a block's two buffers and the sums behind them may take: what blocks have on every GPU from sm_80
/// on, so that tiles and the order of sums are the same on all.
inline constexpr std::int64_t kTensorSharedBytes = 99 * 1024;

/// Returns how many blocks share a multiprocessor, `most` at most, each with its shared memory and the 1 KB that CUDA
/// takes:
/// more would wait for the first to end.
inline int blocks_together(const Cuda& gpu, std::int64_t shared_bytes, int most) {
  constexpr std::int64_t kReserved = 1024;
  const std::int64_t fit = (gpu.most_shared_bytes() + kReserved) / (shared_bytes + kReserved);
  return static_cast<int>(std::clamp<std::int64_t>(fit, 1, most));
}

/// Returns whether the 32 lanes of a warp meet all banks of shared memory, where lane 4 g + t reads a float at g *
/// group + t * term.
constexpr bool meets_all_banks(int group, int term) {
  unsigned banks = 0;
  for (int g = 0; g < 8; ++g)
    for (int t = 0; t < 4; ++t) banks |= 1u << (g * group + t * term) % 32;
  return banks == ~0u;
}

/// Returns whether there are kernels for the layer, if its lines fit a tile: those of tensor_convolution.h, and those
/// of tensor_few_channels.h.
inline bool is_of_tensor_cores(const Conv2dLayer& layer) {
  return layer.code == ConvolutionCode::kOwn && layer.precision == Precision::kTf32 && layer.kernel == 3 &&
         layer.padding == 1 && layer.stride <= 2 && layer.out % 16 == 0;
}
inline bool has_tensor_shape(const Conv2dLayer& layer) {
  return is_of_tensor_cores(layer) && layer.in.channels % 16 == 0;
}
inline bool has_few_channels(const Conv2dLayer& layer) {
  return is_of_tensor_cores(layer) && (layer.in.channels == 1 || layer.in.channels == 3);
}

/// Returns whether 16 bytes can be read or written at once: the array begins on 16 bytes. Rows and what stands in them
/// are multiples of that already, but for rows of parameters.
inline bool is_on_quads(const float* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; }
inline bool has_weights_on_quads(const Conv2dLayer& layer, MatrixView<const float> rows) {
  return is_on_quads(rows.data) && rows.cols % 4 == 0 && layer.weight % 4 == 0;
}

}  // namespace sparsepush
