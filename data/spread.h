// Some of many, spread over all of them.
#pragma once
#include <cstdint>
#include <vector>

namespace sparsepush {

/// Chooses `count` of the indices [0, all), ascending: the middle ones of as many equal parts, because neighbours are
/// often alike, such as samples that are sorted by class. A `count` of 0 chooses all.
inline std::vector<int> spread_over(int all, int count) {
  std::vector<int> chosen;
  if (count == 0) count = all;
  for (std::int64_t k = 0; k < count; ++k) chosen.push_back(static_cast<int>((2 * k + 1) * all / (2 * count)));
  return chosen;
}

}  // namespace sparsepush
