#include "kernels/softmax_xent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/exponential.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Logits of two nodes; sample s has the label s * 7 mod classes.
struct Case {
  Case(int classes, int samples, float scale) : classes(classes), samples(samples) {
    for (int i = 0; i < 2 * samples * classes; ++i) logits.push_back(scale * std::sin(static_cast<float>(3 * i + 1)));
    for (int s = 0; s < 2 * samples; ++s) label.push_back(s * 7 % classes);
  }
  MatrixView<const float> view() const { return {logits.data(), 2 * samples, classes}; }

  struct Result {
    std::vector<float> gradient;
    std::vector<double> loss = {77, 77};
  };
  Result loss(int threads = 1) const {
    const Cpu cpu(threads);
    Result r{.gradient = std::vector<float>(logits.size(), 99)};
    softmax_xent(
        cpu, {.logits = view(), .label = label, .gradient = {r.gradient.data(), 2 * samples, classes}, .loss = r.loss});
    return r;
  }
  struct Scores {
    std::vector<double> loss = {10, 20};
    std::vector<std::int64_t> correct = {100, 200};
  };
  Scores score(int threads = 1) const {
    const Cpu cpu(threads);
    Scores s;
    score_logits(cpu, {.logits = view(), .label = label, .loss = s.loss, .correct = s.correct});
    return s;
  }
  /// Cross-entropy and softmax of one sample, from the definition in long double.
  long double softmax(int sample, int c) const {
    long double sum = 0;
    for (int k = 0; k < classes; ++k)
      sum += std::exp(static_cast<long double>(logits[sample * classes + k]) - logits[sample * classes + c]);
    return 1 / sum;
  }

  int classes, samples;
  std::vector<float> logits;
  std::vector<std::int32_t> label;
};

TEST(ExpNonpositive, IsWithinTwoUlp) {
  for (int i = 0; i <= 200000; ++i) {
    const double x = -708.0 * std::pow(i / 200000.0, 3);
    const double exact = static_cast<double>(std::exp(static_cast<long double>(x)));
    ASSERT_NEAR(exp_nonpositive(x), exact, 2 * (std::nextafter(exact, INFINITY) - exact)) << x;
  }
  EXPECT_EQ(exp_nonpositive(0.0), 1.0);
  EXPECT_EQ(exp_nonpositive(-0x1p-1074), 1.0);
}

TEST(ExpNonpositive, StaysAboveZeroFarBelow) {
  EXPECT_EQ(exp_nonpositive(-std::numeric_limits<double>::infinity()), exp_nonpositive(-708));
  EXPECT_LT(exp_nonpositive(-1e300), 1e-307);
  EXPECT_TRUE(std::isnan(exp_nonpositive(std::nan(""))));
}

TEST(SoftmaxXent, IsTheMeanCrossEntropyAndItsGradient) {
  for (const auto& [classes, samples, scale] :
       {std::tuple{1, 3, 1.f}, {1, 1030, 1.f}, {2, 1, 5.f}, {10, 16, 3.f}, {10, 103, 20.f}, {256, 9, 1000.f}}) {
    const Case c(classes, samples, scale);
    const Case::Result r = c.loss();
    for (int node = 0; node < 2; ++node) {
      long double sum = 0;
      for (int s = node * samples; s < (node + 1) * samples; ++s) {
        long double others = 0;  // -log softmax = log(1 + sum over the others of exp(difference)), exact near 0
        for (int k = 0; k < classes; ++k)
          if (k != c.label[s])
            others +=
                std::exp(static_cast<long double>(c.logits[s * classes + k]) - c.logits[s * classes + c.label[s]]);
        sum += std::log1p(others);
        for (int k = 0; k < classes; ++k) {
          const double exact = static_cast<double>((c.softmax(s, k) - (k == c.label[s])) / samples);
          EXPECT_NEAR(r.gradient[s * classes + k], exact, 1.2e-7 * std::abs(exact) + 1e-16) << classes << " classes";
        }
      }
      const double exact = static_cast<double>(sum / samples);
      EXPECT_NEAR(r.loss[node], exact, 1e-13 * (1 + std::abs(exact))) << classes << " classes, " << samples;
    }
  }
}

TEST(SoftmaxXent, IsStableForHugeLogits) {
  Case c(3, 1, 0);
  c.logits = {3e38f, -3e38f, 3e38f, 1e30f, 0, -kInfinity};
  c.label = {0, 1};
  const Case::Result r = c.loss();
  EXPECT_DOUBLE_EQ(r.loss[0], std::log(2.0));
  EXPECT_EQ(std::vector<float>(r.gradient.begin(), r.gradient.begin() + 3), (std::vector<float>{-0.5f, 0, 0.5f}));
  EXPECT_DOUBLE_EQ(r.loss[1], static_cast<double>(1e30f));
}

TEST(SoftmaxXent, OfNotANumberOrInfinityIsNotANumber) {
  for (const float bad : {std::nanf(""), kInfinity})
    for (const int where : {0, 1, 2}) {
      Case c(3, 2, 1);
      c.logits[where] = bad;
      const Case::Result r = c.loss();
      EXPECT_TRUE(std::isnan(r.loss[0]));
      for (int k = 0; k < 3; ++k) EXPECT_TRUE(std::isnan(r.gradient[k]));
      for (int k = 3; k < 12; ++k) EXPECT_FALSE(std::isnan(r.gradient[k])) << "other samples";
      EXPECT_FALSE(std::isnan(r.loss[1]));
    }
}

TEST(ScoreLogits, AddsUpLossesAndCorrectPredictions) {
  for (const auto& [classes, samples] : {std::pair{2, 1}, {10, 31}, {10, 205}, {256, 5}}) {
    const Case c(classes, samples, 2);
    const Case::Scores s = c.score();
    const Case::Result mean = c.loss();
    for (int node = 0; node < 2; ++node) {
      int correct = 0;
      for (int row = node * samples; row < (node + 1) * samples; ++row) {
        int prediction = 0;
        for (int k = 1; k < classes; ++k)
          if (c.logits[row * classes + k] > c.logits[row * classes + prediction]) prediction = k;
        correct += prediction == c.label[row];
      }
      EXPECT_EQ(s.correct[node], 100 * (node + 1) + correct);
      EXPECT_NEAR(s.loss[node], 10 * (node + 1) + samples * mean.loss[node], 1e-12 * samples);
    }
  }
}

TEST(ScoreLogits, TiesGoToTheLowerClass) {
  Case c(3, 2, 0);
  c.logits = {1, 5, 5, 1, 5, 5, 0, 0, 0, -kInfinity, -kInfinity, 1};
  c.label = {1, 2, 0, 2};
  EXPECT_EQ(c.score().correct, (std::vector<std::int64_t>{101, 202}));
}

TEST(ScoreLogits, NotANumberIsNeverCorrect) {
  for (const int where : {0, 1, 2}) {
    Case c(3, 1, 0);
    c.logits = {0, 1, 0, 0, 1, 0};
    c.label = {1, 1};
    c.logits[where] = std::nanf("");
    EXPECT_EQ(c.score().correct, (std::vector<std::int64_t>{100, 201}));
  }
}

TEST(SoftmaxXent, DoesNotDependOnTheNumberOfThreads) {
  const Case c(10, 16, 3);
  EXPECT_EQ(c.loss(1).gradient, c.loss(2).gradient);
  EXPECT_EQ(c.loss(1).loss, c.loss(2).loss);
  EXPECT_EQ(c.score(1).loss, c.score(2).loss);
}

TEST(SoftmaxXent, RefusesShapesThatDoNotFit) {
  EXPECT_THROW(Case(257, 1, 1).loss(), std::invalid_argument);
  Case c(3, 2, 1);
  c.label.pop_back();
  EXPECT_THROW(c.loss(), std::invalid_argument);
  EXPECT_THROW(c.score(), std::invalid_argument);
  const Case good(3, 2, 1);
  std::vector<float> gradient(9);
  std::vector<double> losses(2), three(3);
  std::vector<std::int64_t> count(1);
  EXPECT_THROW(check_softmax_xent_shapes(
                   {.logits = good.view(), .label = good.label, .gradient = {gradient.data(), 3, 3}, .loss = losses}),
               std::invalid_argument);
  EXPECT_THROW(
      check_score_logits_shapes({.logits = good.view(), .label = good.label, .loss = losses, .correct = count}),
      std::invalid_argument);
  EXPECT_THROW(check_score_logits_shapes({.logits = good.view(), .label = good.label, .loss = three, .correct = count}),
               std::invalid_argument);
  count.resize(3);
  EXPECT_THROW(check_score_logits_shapes({.logits = good.view(), .label = good.label, .loss = three, .correct = count}),
               std::invalid_argument)
      << "4 samples of 3 nodes";
}

}  // namespace
}  // namespace sparsepush
