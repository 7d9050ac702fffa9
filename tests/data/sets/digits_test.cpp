#include "data/sets/digits.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace sparsepush {
namespace {

TEST(Digits, AreTheOriginalImages) {  // sums taken from the original, image i weighted by i + 1
  const Dataset d = load_digits();
  ASSERT_EQ(d.train.count + d.test.count, 1797);
  std::int64_t sum = 0, weighted = 0, train = 0, test = 0;
  std::vector<int> images_of(10);
  for (int i = 0; i < 1797; ++i) {
    const bool for_test = i % 6 == 5;
    const SampleSet& set = for_test ? d.test : d.train;
    const std::int64_t row = for_test ? test++ : train++;
    const auto begin = set.bytes.begin() + row * 64;
    const int ink = std::accumulate(begin, begin + 64, 0);
    sum += ink;
    weighted += (i + 1) * static_cast<std::int64_t>(ink);
    ++images_of[set.label[row]];
  }
  EXPECT_EQ(sum, 561718);
  EXPECT_EQ(weighted, 503904265);
  EXPECT_EQ(images_of, (std::vector<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}));
}

TEST(Digits, AreSplitIntoTrainingAndTest) {
  const Dataset d = load_digits();
  EXPECT_EQ(d.train.count, 1498);
  EXPECT_EQ(d.test.count, 299);
  EXPECT_EQ(d.train.bytes.size(), 1498u * 64);
  EXPECT_EQ(d.test.bytes.size(), 299u * 64);
  std::vector<int> tests_of(10);
  for (const std::uint8_t label : d.test.label) ++tests_of[label];
  EXPECT_EQ(tests_of, (std::vector<int>{37, 32, 33, 27, 26, 29, 25, 31, 29, 30}));
}

TEST(Digits, HavePixelsOfSixteenths) {
  const Dataset d = load_digits();
  EXPECT_EQ(d.features, 64);
  EXPECT_EQ(d.classes, 10);
  EXPECT_EQ(d.image, (ImageShape{.height = 8, .width = 8}));
  EXPECT_EQ(d.channel, (std::vector<ByteScale>{{.scale = 0.0625f, .offset = 0}}));
  for (const std::uint8_t byte : d.train.bytes) ASSERT_LE(byte, 16);
  const std::vector<std::uint8_t> second_row_of_the_first_zero = {0, 0, 13, 15, 10, 15, 5, 0};
  EXPECT_EQ(std::vector<std::uint8_t>(d.train.bytes.begin() + 8, d.train.bytes.begin() + 16),
            second_row_of_the_first_zero);
}

}  // namespace
}  // namespace sparsepush
