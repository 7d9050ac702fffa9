// Memory that is going to be used soon. Results never depend on it.
#pragma once
#include <cstddef>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Begins to bring the matrix into the calling thread's cache; worth it for a few kilobytes that a thousand cycles of
/// other work separate from their use. GPUs hide latency by other threads.
inline void prefetch(const Cpu&, MatrixView<const float> matrix) {
  for (std::size_t i = 0; i < matrix.size(); i += kLineFloats) __builtin_prefetch(matrix.data + i);
}

inline void prefetch(const Cuda&, MatrixView<const float>) {}

}  // namespace sparsepush
