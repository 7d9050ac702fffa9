#include "kernels/backend/vector_level.h"

namespace sparsepush {

VectorLevel best_vector_level() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return VectorLevel::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return VectorLevel::kAvx2;
#endif
  return VectorLevel::kBaseline;
}

std::string_view name_of(VectorLevel level) {
  switch (level) {
    case VectorLevel::kAvx512:
      return "AVX-512";
    case VectorLevel::kAvx2:
      return "AVX2";
    case VectorLevel::kBaseline:
      break;
  }
  return "baseline";
}

}  // namespace sparsepush
