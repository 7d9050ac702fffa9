// Exact comparison of what backends compute.
#pragma once
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace sparsepush {

/// Whether both have the same bits, the sign of zero included; every NaN is the same as every other.
template <class T>
testing::AssertionResult same_values(const std::vector<T>& computed, const std::vector<T>& wanted) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  if (computed.size() != wanted.size())
    return testing::AssertionFailure() << computed.size() << " values, expected " << wanted.size();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool same = std::isnan(wanted[i]) ? std::isnan(computed[i])
                                            : std::bit_cast<Bits>(computed[i]) == std::bit_cast<Bits>(wanted[i]);
    if (!same) return testing::AssertionFailure() << "[" << i << "] is " << computed[i] << ", expected " << wanted[i];
  }
  return testing::AssertionSuccess();
}

}  // namespace sparsepush
