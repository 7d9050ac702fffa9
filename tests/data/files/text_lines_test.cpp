#include "data/files/text_lines.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

namespace sparsepush {
namespace {

TEST(NumberOf, IsThatOfATextWithNothingElse) {
  EXPECT_EQ(number_of<int>("12"), 12);
  EXPECT_EQ(number_of<std::int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(number_of<double>("1.5e-3"), 1.5e-3);
  for (const char* text : {"", " 1", "1 ", "1,", "x", "+1", "0x1", "1.5", "99999999999"})
    EXPECT_EQ(number_of<int>(text), std::nullopt) << text;
  for (const char* text : {"", "1.5x", "1e999", "--1"}) EXPECT_EQ(number_of<double>(text), std::nullopt) << text;
}

}  // namespace
}  // namespace sparsepush
