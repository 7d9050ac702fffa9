// Small functions of values for host and device code; nvcc leaves out parts of std::clamp and std::lower_bound.
#pragma once
#include <cstdint>

namespace sparsepush {

/// Divides and rounds up: a / b, or a to a multiple of b, for a >= 0 and b > 0.
constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t rounded_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

/// Returns `value`, or the nearer end of [low, high]; `low` where value is NaN. By value: a named constant has no
/// address on a device.
template <class T>
constexpr T clamp_value(T value, T low, T high) {
  if (!(value > low)) return low;
  return value < high ? value : high;
}

/// Counts the indices 0 .. size - 1 before the first for which `before` is false; binary search, as `before` must hold
/// for none after that one.
template <class Index, class Before>
constexpr Index count_before(Index size, const Before& before) {
  Index low = 0, high = size;
  while (low < high) {
    const Index middle = low + (high - low) / 2;
    if (before(middle))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace sparsepush
