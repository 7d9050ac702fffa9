#include "kernels/backend/constexpr_algorithms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace sparsepush {
namespace {

TEST(ClampValue, IsTheValueOrTheNearerEnd) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(clamp_value(3, 1, 5), 3);
  EXPECT_EQ(clamp_value(0, 1, 5), 1);
  EXPECT_EQ(clamp_value(6, 1, 5), 5);
  EXPECT_EQ(clamp_value(1, 1, 1), 1);
  EXPECT_EQ(clamp_value(-kInfinity, -0.5f, 0.5f), -0.5f);
  EXPECT_EQ(clamp_value(kInfinity, -0.5f, 0.5f), 0.5f);
  EXPECT_EQ(clamp_value(kNan, -0.5f, 0.5f), -0.5f);
  static_assert(clamp_value<std::int64_t>(std::int64_t{1} << 40, 0, 7) == 7);
}

TEST(CountBefore, FindsWhatTheLibraryFindsInEverySortedList) {
  for (const std::size_t size : {0, 1, 2, 3, 31, 32, 33, 1000}) {
    std::vector<int> sorted(size);
    for (std::size_t i = 0; i < size; ++i) sorted[i] = static_cast<int>(i / 3 * 2);  // of equal elements, too
    for (int value = -1; value <= static_cast<int>(size) + 1; ++value) {
      const auto expected = std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin();
      EXPECT_EQ(count_before(static_cast<unsigned>(size), [&](unsigned i) { return sorted[i] < value; }), expected);
    }
  }
}

TEST(CountBefore, AsksForNoIndexBeyondTheSizeAndDoesNotOverflow) {
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t largest = 0;
  const auto before = [&](std::uint32_t i) {
    largest = std::max(largest, i);
    return true;
  };
  EXPECT_EQ(count_before(kMost, before), kMost);
  EXPECT_EQ(largest, kMost - 1);
}

}  // namespace
}  // namespace sparsepush
