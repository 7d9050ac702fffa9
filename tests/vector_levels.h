// The vector widths that loops can be tested at on this processor.
#pragma once
#include <vector>

#include "kernels/multiversion.h"

namespace sparsepush {

inline std::vector<VectorLevel> usable_vector_levels() {
  std::vector<VectorLevel> usable = {VectorLevel::kBaseline};
  if (vector_level() >= VectorLevel::kAvx2) usable.push_back(VectorLevel::kAvx2);
  if (vector_level() >= VectorLevel::kAvx512) usable.push_back(VectorLevel::kAvx512);
  return usable;
}

}  // namespace sparsepush
