#include "kernels/backend/divisor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace sparsepush {
namespace {

constexpr int kLargest = std::numeric_limits<int>::max();

TEST(Divisor, DividesExactlyBesideEveryMultipleThatIsTried) {
  for (int near = 0; near < 31; ++near)
    for (const int d : {1 << near, (1 << near) + 1, 2 * ((1 << near) - 1) + 1, kLargest - near}) {
      const Divisor divisor(d);
      EXPECT_EQ(divisor.value(), d);
      for (const int quotient : {0, 1, 2, 3, 1000, kLargest / d - 1, kLargest / d})
        for (const int beside : {-1, 0, 1}) {
          const std::int64_t n = std::int64_t{quotient} * d + beside;
          if (n < 0 || n > kLargest) continue;
          ASSERT_EQ(divisor.divide(static_cast<int>(n)), n / d) << n << " / " << d;
        }
      ASSERT_EQ(divisor.divide(kLargest), kLargest / d) << d;
    }
}

TEST(Divisor, DividesSmallNumbersBySmallNumbers) {
  for (int d = 1; d < 100; ++d)
    for (int n = 0; n < 10000; ++n) ASSERT_EQ(Divisor(d).divide(n), n / d) << n << " / " << d;
}

}  // namespace
}  // namespace sparsepush
