// The vector levels that tests and benchmarks run at.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/layers/conv2d/onednn_convolution.h"

namespace sparsepush {

/// The widest level that the processor has and oneDNN takes, so that DNNL_MAX_CPU_ISA, oneDNN's own variable, limits
/// both its loops and ours: SSE41 to the baseline, AVX2 to AVX2.
inline VectorLevel tested_vector_level() { return std::min(best_vector_level(), onednn_vector_level()); }

inline Cpu tested_cpu(int threads = 0) { return Cpu(threads, tested_vector_level()); }

/// That level and all below.
inline std::vector<VectorLevel> tested_vector_levels() {
  std::vector<VectorLevel> levels;
  for (const VectorLevel level : {VectorLevel::kBaseline, VectorLevel::kAvx2, VectorLevel::kAvx512})
    if (level <= tested_vector_level()) levels.push_back(level);
  return levels;
}

}  // namespace sparsepush
