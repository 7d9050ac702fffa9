#include "host/tables/mean_of_replicas.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sparsepush {
namespace {

TEST(Statistic, DeviatesWithNMinusOne) {
  const Statistic statistic = statistic_of({2.0, 4.0, 9.0});
  EXPECT_EQ(statistic.n, 3);
  EXPECT_EQ(statistic.mean, 5.0);
  EXPECT_DOUBLE_EQ(*statistic.sd, std::sqrt(13.0));  // (9 + 1 + 16) / 2
}

TEST(Statistic, OneValueHasNoDeviation) {
  const Statistic statistic = statistic_of({0.25});
  EXPECT_EQ(statistic.mean, 0.25);
  EXPECT_EQ(statistic.sd, std::nullopt);
  EXPECT_EQ(interval_of(statistic), std::nullopt);
}

TEST(Statistic, AValueThatIsMissingLeavesNoMean) {
  const Statistic statistic = statistic_of({1.0, std::nullopt, 2.0});
  EXPECT_EQ(statistic.n, 2);
  EXPECT_EQ(statistic.mean, std::nullopt);
  EXPECT_EQ(statistic.sd, std::nullopt);
  EXPECT_EQ(statistic_of({}).mean, std::nullopt);
}

/// Of printed tables of Student's distribution.
TEST(StudentT, HasTheValuesOfTables) {
  constexpr std::pair<int, double> kTable[] = {{1, 12.706}, {2, 4.303},  {3, 3.182},  {4, 2.776},   {5, 2.571},
                                               {9, 2.262},  {10, 2.228}, {30, 2.042}, {120, 1.980}, {9999, 1.960}};
  for (const auto& [degrees, t] : kTable) EXPECT_NEAR(student_t(degrees), t, 5e-4) << degrees;
}

TEST(StudentT, GivesTheIntervalOfAMean) {
  EXPECT_NEAR(*interval_of(statistic_of({1.0, 2.0, 3.0})), 4.302653 / std::sqrt(3.0), 1e-6);
}

}  // namespace
}  // namespace sparsepush
