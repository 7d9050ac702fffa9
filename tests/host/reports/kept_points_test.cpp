#include "host/reports/kept_points.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparsepush {
namespace {

using Kept = std::vector<std::size_t>;

std::vector<double> waves(std::size_t count, double frequency) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(frequency * static_cast<double>(i));
  return values;
}

TEST(KeptPoints, AreAllWhereThereIsRoom) {
  const std::vector<double> values(5, 1.0);
  EXPECT_EQ(kept_points({&values}, 5, 2, 5), (Kept{0, 1, 2, 3, 4}));
}

TEST(KeptPoints, HaveTheFirstTheGivenAndTheLast) {
  const auto values = waves(2001, 0.01);
  const Kept kept = kept_points({&values}, 2001, 1999, 100);
  EXPECT_LE(kept.size(), 100u);
  EXPECT_EQ(kept.front(), 0u);
  EXPECT_EQ(kept.back(), 2000u);
  EXPECT_TRUE(std::ranges::binary_search(kept, 1999u));
  EXPECT_TRUE(std::ranges::is_sorted(kept, std::less_equal()));  // none twice
}

TEST(KeptPoints, HaveEverySpikeOfEverySeries) {
  auto first = waves(5000, 0.001), second = waves(5000, 0.002);
  first[1234] = 100;
  second[4321] = -100;
  second[77] = 50;
  const Kept kept = kept_points({&first, &second}, 5000, 0, 40);
  for (const std::size_t spike : {77u, 1234u, 4321u}) EXPECT_TRUE(std::ranges::binary_search(kept, spike)) << spike;
}

TEST(KeptPoints, OfEqualPartsHaveTheSmallestAndTheLargest) {
  const auto values = waves(1000, 1.7);
  const std::size_t most = 43;
  const Kept kept = kept_points({&values}, 1000, 500, most);
  EXPECT_GT(kept.size(), most * 8 / 10);  // room is used
  for (std::size_t part = 0; part < 10; ++part) {
    double low = 9, high = -9, kept_low = 9, kept_high = -9;
    for (std::size_t i = 100 * part; i < 100 * (part + 1); ++i) {
      low = std::min(low, values[i]);
      high = std::max(high, values[i]);
    }
    for (const std::size_t i : kept) {
      if (i / 100 != part) continue;
      kept_low = std::min(kept_low, values[i]);
      kept_high = std::max(kept_high, values[i]);
    }
    EXPECT_NEAR(kept_low, low, 0.01);
    EXPECT_NEAR(kept_high, high, 0.01);
  }
}

TEST(KeptPoints, NumbersThatAreNotFiniteAreNoEnds) {
  auto values = waves(1000, 0.01);
  values[10] = std::numeric_limits<double>::infinity();
  values[20] = std::numeric_limits<double>::quiet_NaN();
  values[30] = 7;
  const std::vector<double> none(1000, std::numeric_limits<double>::quiet_NaN());
  const Kept kept = kept_points({&values, &none}, 1000, 0, 21);
  EXPECT_FALSE(std::ranges::binary_search(kept, 10u));
  EXPECT_FALSE(std::ranges::binary_search(kept, 20u));
  EXPECT_TRUE(std::ranges::binary_search(kept, 30u));
}

}  // namespace
}  // namespace sparsepush
