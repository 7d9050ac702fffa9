// Sums in a fixed order on the Cpu, with the bits of kernels/backend/ordered_sum.h.
#pragma once
#include <array>
#include <cstdint>

namespace sparsepush {

/// Sum of term(i) for i in [0, count): term i goes to partial sum i mod kLanes, and these are added up in order.
template <int kLanes, class Term>
[[gnu::always_inline]] inline double ordered_sum_loop(std::int64_t count, const Term& term) {
  std::array<double, kLanes> lanes{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (int lane = 0; i < count; ++i, ++lane) lanes[lane] += term(i);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace sparsepush
