#include "data/sets/synthetic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace sparsepush {
namespace {

/// Feature means of each class over both parts of a set, [classes, features].
std::vector<double> class_means(const Dataset& d) {
  std::vector<double> sum(d.classes * d.features);
  std::vector<int> count(d.classes);
  for (const SampleSet* set : {&d.train, &d.test})
    for (int i = 0; i < set->count; ++i) {
      ++count[set->label[i]];
      for (int f = 0; f < d.features; ++f)
        sum[set->label[i] * d.features + f] +=
            d.channel[0].scale * set->bytes[i * d.features + f] + d.channel[0].offset;
    }
  for (int c = 0; c < d.classes; ++c)
    for (int f = 0; f < d.features; ++f) sum[c * d.features + f] /= count[c];
  return sum;
}

TEST(Synthetic, ClassMeansAreAsFarApartAsAsked) {
  for (const auto& [features, separation] : {std::pair{1, 5.0}, {16, 3.0}, {64, 40.0}}) {
    const Dataset d =
        make_synthetic({.samples = 20000, .features = features, .classes = 100, .separation = separation});
    const std::vector<double> mean = class_means(d);
    double distance = 0;
    for (int a = 0; a < 100; ++a)
      for (int b = 0; b < a; ++b) {
        double squares = 0;
        for (int f = 0; f < features; ++f) squares += std::pow(mean[a * features + f] - mean[b * features + f], 2);
        distance += std::sqrt(squares);
      }
    EXPECT_NEAR(distance / (100 * 99 / 2), separation, 0.15 * separation) << features << " features";
  }
}

TEST(Synthetic, SamplesSpreadByOneAroundTheirClassMean) {
  const Dataset d = make_synthetic({.samples = 12000, .features = 8, .classes = 4, .separation = 3});
  const std::vector<double> mean = class_means(d);
  double squares = 0;
  for (int i = 0; i < d.train.count; ++i)
    for (int f = 0; f < 8; ++f)
      squares += std::pow(
          d.channel[0].scale * d.train.bytes[i * 8 + f] + d.channel[0].offset - mean[d.train.label[i] * 8 + f], 2);
  EXPECT_NEAR(std::sqrt(squares / (d.train.count * 8)), 1.0, 0.02);
}

TEST(Synthetic, NearestClassMeanSeparatesWhatIsFarApartOnly) {
  const auto accuracy = [](double separation) {
    const Dataset d = make_synthetic({.samples = 6000, .features = 16, .classes = 10, .separation = separation});
    const std::vector<double> mean = class_means(d);
    int correct = 0;
    for (int i = 0; i < d.test.count; ++i) {
      int nearest = 0;
      double least = INFINITY;
      for (int c = 0; c < 10; ++c) {
        double squares = 0;
        for (int f = 0; f < 16; ++f)
          squares +=
              std::pow(d.channel[0].scale * d.test.bytes[i * 16 + f] + d.channel[0].offset - mean[c * 16 + f], 2);
        if (squares < least) least = squares, nearest = c;
      }
      correct += nearest == d.test.label[i];
    }
    return static_cast<double>(correct) / d.test.count;
  };
  EXPECT_GT(accuracy(8), 0.99);
  EXPECT_LT(accuracy(0), 0.2);
  EXPECT_GT(accuracy(3), 0.5);
  EXPECT_LT(accuracy(3), 0.95);
}

TEST(Synthetic, ClassesAreEquallyLargeAndInBothParts) {
  const Dataset d = make_synthetic({.samples = 1203, .features = 2, .classes = 6, .separation = 1});
  EXPECT_EQ(d.test.count, 200);
  EXPECT_EQ(d.train.count, 1003);
  std::vector<int> all(6), tests(6);
  for (const std::uint8_t label : d.train.label) ++all[label];
  for (const std::uint8_t label : d.test.label) ++all[label], ++tests[label];
  for (int c = 0; c < 6; ++c) {
    EXPECT_NEAR(all[c], 200.5, 0.5);
    EXPECT_GT(tests[c], 10);
  }
}

TEST(Synthetic, IsOneRowOfOneChannel) {
  const Dataset d = make_synthetic({.samples = 6, .features = 7, .classes = 2, .separation = 1});
  EXPECT_EQ(d.image, (ImageShape{.height = 1, .width = 7}));
  EXPECT_EQ(d.channel.size(), 1u);
}

TEST(Synthetic, IsTheSameEveryTime) {
  const SyntheticSettings settings{.samples = 100, .features = 5, .classes = 3, .separation = 2};
  EXPECT_EQ(make_synthetic(settings).train.bytes, make_synthetic(settings).train.bytes);
}

TEST(Synthetic, RefusesWhatCannotBe) {
  EXPECT_THROW(make_synthetic({.samples = 5}), std::invalid_argument);
  EXPECT_THROW(make_synthetic({.features = 0}), std::invalid_argument);
  EXPECT_THROW(make_synthetic({.classes = 257}), std::invalid_argument);
  EXPECT_THROW(make_synthetic({.separation = -1}), std::invalid_argument);
  EXPECT_THROW(make_synthetic({.separation = NAN}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
