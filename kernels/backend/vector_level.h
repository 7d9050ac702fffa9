// How wide the vectors are that the Cpu's loops use.
#pragma once
#include <string_view>

namespace sparsepush {

/// Of our own loops; oneDNN and OpenBLAS choose for themselves. Results do not depend on it, except in files that are
/// compiled with contraction: there a level with fma rounds once where another one rounds twice.
enum class VectorLevel {
  kBaseline,
  kAvx2,
  kAvx512,  ///< Zen 4, Ice Lake and later
};

/// Returns the widest level that this processor has.
VectorLevel best_vector_level();

/// Names a level: "baseline", "AVX2" or "AVX-512".
std::string_view name_of(VectorLevel level);

}  // namespace sparsepush
