#include "host/reports/axis.h"

#include <gtest/gtest.h>

#include <limits>

namespace sparsepush {
namespace {

using Texts = std::vector<std::string>;

Texts texts(const ChartAxis& axis, int wanted) {
  Texts texts;
  for (const AxisTick& tick : ticks_of(axis, wanted)) texts.push_back(tick.text);
  return texts;
}

TEST(Axis, PutsNumbersBetweenItsEnds) {
  const ChartAxis linear{.low = 10, .high = 20, .begin = 100, .length = -50};
  EXPECT_DOUBLE_EQ(linear.at(10), 100);
  EXPECT_DOUBLE_EQ(linear.at(15), 75);
  const ChartAxis log{.is_log = true, .low = 1, .high = 1e4, .begin = 0, .length = 400};
  EXPECT_DOUBLE_EQ(log.at(100), 200);
  EXPECT_FALSE(log.takes(0));
  EXPECT_FALSE(log.takes(-1));
  EXPECT_TRUE(linear.takes(0));
  EXPECT_FALSE(linear.takes(std::numeric_limits<double>::quiet_NaN()));
}

TEST(Axis, GoesAroundItsNumbers) {
  const ChartAxis exact = axis_around({3, std::numeric_limits<double>::quiet_NaN(), 7}, false, false);
  EXPECT_EQ(exact.low, 3);
  EXPECT_EQ(exact.high, 7);
  const ChartAxis padded = axis_around({3, 7}, false, true);
  EXPECT_LT(padded.low, 3);
  EXPECT_GT(padded.high, 7);
  const ChartAxis log = axis_around({0, -5, 0.01, 10}, true, false);  // what has no place counts for nothing
  EXPECT_EQ(log.low, 0.01);
  EXPECT_EQ(log.high, 10);
}

TEST(Axis, OfOneNumberOrNoneHasALength) {
  for (const bool is_log : {false, true}) {
    for (const std::vector<double>& values : {std::vector<double>{}, {0.0}, {5.0}, {1e-9, 1e-9}}) {
      const ChartAxis axis = axis_around(values, is_log, true);
      EXPECT_LT(axis.low, axis.high);
      EXPECT_FALSE(ticks_of(axis, 5).empty());
      EXPECT_TRUE(axis.takes(axis.low));
    }
  }
}

TEST(Ticks, StandAtRoundNumbers) {
  EXPECT_EQ(texts({.low = 0, .high = 1550}, 6), (Texts{"0", "500", "1000", "1500"}));
  EXPECT_EQ(texts({.low = -0.1, .high = 0.1}, 4), (Texts{"-0.10", "-0.05", "0", "0.05", "0.10"}));
  EXPECT_EQ(texts({.low = 0, .high = 4e6}, 4), (Texts{"0", "1e6", "2e6", "3e6", "4e6"}));
  EXPECT_EQ(texts({.form = NumberForm::kPercent, .low = 0.08, .high = 1}, 5),
            (Texts{"20 %", "40 %", "60 %", "80 %", "100 %"}));
  EXPECT_EQ(texts({.form = NumberForm::kPercent, .low = 0.957, .high = 0.966}, 5),
            (Texts{"95.8 %", "96.0 %", "96.2 %", "96.4 %", "96.6 %"}));
}

TEST(Ticks, OfLogarithmicAxesArePowersOfTen) {
  EXPECT_EQ(texts({.is_log = true, .low = 1e-5, .high = 1}, 5), (Texts{"1e-5", "1e-4", "0.001", "0.01", "0.1", "1"}));
  EXPECT_EQ(texts({.form = NumberForm::kBytes, .is_log = true, .low = 1e3, .high = 1e9}, 6),
            (Texts{"1 kB", "10 kB", "100 kB", "1 MB", "10 MB", "100 MB", "1 GB"}));
}

TEST(Ticks, OfFewDecadesHaveNumbersBetween) {
  EXPECT_EQ(texts({.is_log = true, .low = 0.9, .high = 60}, 5), (Texts{"1", "2", "5", "10", "20", "50"}));
  EXPECT_EQ(texts({.is_log = true, .low = 3.1, .high = 4.1}, 5), (Texts{"3.2", "3.4", "3.6", "3.8", "4.0"}));
}

TEST(Ticks, OfManyDecadesAreNotAllWritten) {
  std::size_t written = 0;
  for (const std::string& text : texts({.is_log = true, .low = 1e-12, .high = 1}, 5)) written += text.empty() ? 0 : 1;
  EXPECT_GE(written, 3u);
  EXPECT_LE(written, 7u);
}

}  // namespace
}  // namespace sparsepush
