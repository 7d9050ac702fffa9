// Values whose sums of products are exact in fp32, in any order.
#pragma once
#include <cstdint>
#include <vector>

namespace sparsepush {

/// Integers from -2 to 2 without a short period.
inline std::vector<float> small_integers(std::int64_t count) {
  std::vector<float> values(count);
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * i % 11 % 5) - 2;
  return values;
}

}  // namespace sparsepush
