#include "kernels/layers/softmax_xent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/exponential.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Logits of `nodes` nodes; sample s has the label s * 7 mod classes.
struct Case {
  Case(int classes, int samples, float scale, int nodes = 2) : classes(classes), samples(samples), nodes(nodes) {
    for (int i = 0; i < nodes * samples * classes; ++i)
      logits.push_back(scale * std::sin(static_cast<float>(3 * i + 1)));
    for (int s = 0; s < nodes * samples; ++s) label.push_back(s * 7 % classes);
  }

  struct Result {
    std::vector<float> gradient;
    std::vector<double> loss;
  };
  template <class Backend>
  Result loss(const Backend& backend, double before = 0) const {
    const Buffer<Backend, float> there(backend, nodes * samples, classes, logits);
    const Buffer<Backend, float> gradient(backend, nodes * samples, classes, std::vector<float>(logits.size(), 99));
    const Buffer<Backend, std::int32_t> labels(backend, label);
    const Buffer<Backend, double> loss(backend, std::vector<double>(nodes, before));
    softmax_xent(backend,
                 {.logits = there.view(), .label = labels.span(), .gradient = gradient.view(), .loss = loss.span()});
    return {gradient.to_host(), loss.to_host()};
  }
  struct Scores {
    std::vector<double> loss;
    std::vector<std::int64_t> correct;
  };
  /// Added to 10 and 100 for the first node, 20 and 200 for the second one, and so on.
  template <class Backend>
  Scores score(const Backend& backend) const {
    Scores before;
    for (int node = 1; node <= nodes; ++node) {
      before.loss.push_back(10 * node);
      before.correct.push_back(100 * node);
    }
    const Buffer<Backend, float> there(backend, nodes * samples, classes, logits);
    const Buffer<Backend, std::int32_t> labels(backend, label);
    const Buffer<Backend, double> loss(backend, before.loss);
    const Buffer<Backend, std::int64_t> correct(backend, before.correct);
    score_logits(backend,
                 {.logits = there.view(), .label = labels.span(), .loss = loss.span(), .correct = correct.span()});
    return {loss.to_host(), correct.to_host()};
  }
  /// Cross-entropy and softmax of one sample, from the definition in long double.
  long double softmax(int sample, int c) const {
    long double sum = 0;
    for (int k = 0; k < classes; ++k)
      sum += std::exp(static_cast<long double>(logits[sample * classes + k]) - logits[sample * classes + c]);
    return 1 / sum;
  }

  int classes, samples, nodes;
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
  EXPECT_EQ(exp_nonpositive(-std::numeric_limits<double>::infinity()), exp_nonpositive(-708.0));
  EXPECT_LT(exp_nonpositive(-1e300), 1e-307);
  EXPECT_TRUE(std::isnan(exp_nonpositive(std::nan(""))));
}

struct Shape {
  int classes, samples, nodes;
  float scale;
};
/// Around warps, blocks and the logits that are evaluated at once, and more nodes than a grid has blocks.
const Shape kShapes[] = {{1, 3, 2, 1},    {1, 1030, 2, 1},  {2, 1, 2, 5},   {2, 511, 2, 5},
                         {2, 512, 2, 5},  {2, 513, 2, 5},   {10, 16, 2, 3}, {10, 103, 2, 20},
                         {10, 31, 60, 2}, {10, 205, 30, 2}, {31, 33, 2, 1}, {32, 32, 2, 1},
                         {33, 31, 2, 9},  {128, 2, 3, 1},   {255, 5, 2, 4}, {256, 9, 2, 1000}};

/// The definition in long double against one node's part of a result.
void expect_the_definition(const Case& c, const Case::Result& r, int node) {
  long double sum = 0;
  for (int s = node * c.samples; s < (node + 1) * c.samples; ++s) {
    long double others = 0;  // -log softmax = log(1 + sum over the others of exp(difference)), exact near 0
    for (int k = 0; k < c.classes; ++k)
      if (k != c.label[s])
        others +=
            std::exp(static_cast<long double>(c.logits[s * c.classes + k]) - c.logits[s * c.classes + c.label[s]]);
    sum += std::log1p(others);
    for (int k = 0; k < c.classes; ++k) {
      const double exact = static_cast<double>((c.softmax(s, k) - (k == c.label[s])) / c.samples);
      EXPECT_NEAR(r.gradient[s * c.classes + k], exact, 1.2e-7 * std::abs(exact) + 1e-16) << c.classes << " classes";
    }
  }
  const double exact = static_cast<double>(sum / c.samples);
  EXPECT_NEAR(r.loss[node], exact, 1e-13 * (1 + std::abs(exact))) << c.classes << " classes, " << c.samples;
}

template <class Backend>
class SoftmaxXentOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(SoftmaxXentOn, Backends);

TYPED_TEST(SoftmaxXentOn, IsTheMeanCrossEntropyAndItsGradient) {
  for (const auto& [classes, samples, nodes, scale] : kShapes) {
    const Case c(classes, samples, scale, nodes);
    const Case::Result first = c.loss(tested_backend<TypeParam>());
    for (int node = 0; node < nodes; ++node) expect_the_definition(c, first, node);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Case::Result r = c.loss(backend);
      EXPECT_TRUE(same_values(r.gradient, first.gradient)) << c.classes << " classes, " << c.samples;
      EXPECT_TRUE(same_values(r.loss, first.loss)) << c.classes << " classes, " << c.samples;
    });
  }
}

TYPED_TEST(SoftmaxXentOn, AddsToTheLoss) {
  const Case c(10, 7, 1, 3);
  const Case::Result alone = c.loss(tested_backend<TypeParam>()), added = c.loss(tested_backend<TypeParam>(), 5);
  for (int node = 0; node < 3; ++node) EXPECT_EQ(added.loss[node], 5 + alone.loss[node]);
}

TYPED_TEST(SoftmaxXentOn, AgreesWithTheCpu) {
  for (const auto& [classes, samples, nodes, scale] : kShapes) {
    const Case c(classes, samples, scale, nodes);
    const Case::Result wanted = c.loss(tested_cpu(1)), r = c.loss(tested_backend<TypeParam>());
    EXPECT_TRUE(same_values(r.gradient, wanted.gradient)) << classes << " classes, " << samples;
    for (int node = 0; node < nodes; ++node)
      EXPECT_NEAR(r.loss[node], wanted.loss[node], 0x1p-40 * wanted.loss[node]) << classes << " classes, " << samples;
  }
}

TYPED_TEST(SoftmaxXentOn, IsStableForHugeLogits) {
  Case c(3, 1, 0);
  c.logits = {3e38f, -3e38f, 3e38f, 1e30f, 0, -kInfinity};
  c.label = {0, 1};
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Case::Result r = c.loss(backend);
    EXPECT_DOUBLE_EQ(r.loss[0], std::log(2.0));
    EXPECT_EQ(std::vector<float>(r.gradient.begin(), r.gradient.begin() + 3), (std::vector<float>{-0.5f, 0, 0.5f}));
    EXPECT_DOUBLE_EQ(r.loss[1], static_cast<double>(1e30f));
  });
}

TYPED_TEST(SoftmaxXentOn, TakesDenormalsAndZerosAsTheyAre) {
  Case c(4, 1, 0, 1);
  c.logits = {0.0f, -0.0f, 1e-45f, -1e-40f};
  c.label = {3};
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Case::Result r = c.loss(backend);
    EXPECT_DOUBLE_EQ(r.loss[0], std::log(4.0));
    EXPECT_EQ(r.gradient, (std::vector<float>{0.25f, 0.25f, 0.25f, -0.75f}));
  });
}

TYPED_TEST(SoftmaxXentOn, OfNotANumberOrInfinityIsNotANumber) {
  for (const float bad : {std::nanf(""), kInfinity})
    for (const int where : {0, 1, 2}) {
      Case c(3, 2, 1);
      c.logits[where] = bad;
      for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
        const Case::Result r = c.loss(backend);
        EXPECT_TRUE(std::isnan(r.loss[0]));
        for (int k = 0; k < 3; ++k) EXPECT_TRUE(std::isnan(r.gradient[k]));
        for (int k = 3; k < 12; ++k) EXPECT_FALSE(std::isnan(r.gradient[k])) << "other samples";
        EXPECT_FALSE(std::isnan(r.loss[1]));
      });
    }
}

/// Samples of the node whose label is the first largest logit.
int expected_correct(const Case& c, int node) {
  int correct = 0;
  for (int row = node * c.samples; row < (node + 1) * c.samples; ++row) {
    int prediction = 0;
    for (int k = 1; k < c.classes; ++k)
      if (c.logits[row * c.classes + k] > c.logits[row * c.classes + prediction]) prediction = k;
    correct += prediction == c.label[row];
  }
  return correct;
}

template <class Backend>
class ScoreLogitsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(ScoreLogitsOn, Backends);

TYPED_TEST(ScoreLogitsOn, AddsUpLossesAndCorrectPredictions) {
  for (const auto& [classes, samples, nodes, scale] : kShapes) {
    const Case c(classes, samples, scale, nodes);
    const Case::Result mean = c.loss(tested_cpu(1));
    const Case::Scores first = c.score(tested_backend<TypeParam>()), cpu = c.score(tested_cpu(1));
    for (int node = 0; node < nodes; ++node) {
      EXPECT_EQ(first.correct[node], 100 * (node + 1) + expected_correct(c, node)) << classes << " classes";
      EXPECT_NEAR(first.loss[node], 10 * (node + 1) + samples * mean.loss[node], 1e-12 * samples * (1 + scale));
      EXPECT_NEAR(first.loss[node], cpu.loss[node], 0x1p-40 * cpu.loss[node]);
    }
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Case::Scores s = c.score(backend);
      EXPECT_EQ(s.correct, first.correct) << classes << " classes";
      EXPECT_TRUE(same_values(s.loss, first.loss)) << classes << " classes";
    });
  }
}

TYPED_TEST(ScoreLogitsOn, TiesGoToTheLowerClass) {
  Case c(3, 2, 0);
  c.logits = {1, 5, 5, 1, 5, 5, 0, 0, 0, -kInfinity, -kInfinity, 1};
  c.label = {1, 2, 0, 2};
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    EXPECT_EQ(c.score(backend).correct, (std::vector<std::int64_t>{101, 202}));
  });
}

TYPED_TEST(ScoreLogitsOn, NotANumberIsNeverCorrect) {
  for (const int where : {0, 1, 2}) {
    Case c(3, 1, 0);
    c.logits = {0, 1, 0, 0, 1, 0};
    c.label = {1, 1};
    c.logits[where] = std::nanf("");
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      EXPECT_EQ(c.score(backend).correct, (std::vector<std::int64_t>{100, 201}));
    });
  }
}

TEST(SoftmaxXent, RefusesShapesThatDoNotFit) {
  EXPECT_THROW(Case(257, 1, 1).loss(tested_cpu(1)), std::invalid_argument);
  Case c(3, 2, 1);
  c.label.pop_back();
  EXPECT_THROW(c.loss(tested_cpu(1)), std::invalid_argument);
  EXPECT_THROW(c.score(tested_cpu(1)), std::invalid_argument);
  const Case good(3, 2, 1);
  const MatrixView<const float> logits{good.logits.data(), 4, 3};
  std::vector<float> gradient(9);
  std::vector<double> losses(2), three(3);
  std::vector<std::int64_t> count(1);
  EXPECT_THROW(check_softmax_xent_shapes(
                   {.logits = logits, .label = good.label, .gradient = {gradient.data(), 3, 3}, .loss = losses}),
               std::invalid_argument);
  EXPECT_THROW(check_score_logits_shapes({.logits = logits, .label = good.label, .loss = losses, .correct = count}),
               std::invalid_argument);
  EXPECT_THROW(check_score_logits_shapes({.logits = logits, .label = good.label, .loss = three, .correct = count}),
               std::invalid_argument);
  count.resize(3);
  EXPECT_THROW(check_score_logits_shapes({.logits = logits, .label = good.label, .loss = three, .correct = count}),
               std::invalid_argument)
      << "4 samples of 3 nodes";
}

}  // namespace
}  // namespace sparsepush
