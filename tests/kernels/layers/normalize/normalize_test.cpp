#include "kernels/layers/normalize/normalize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/layers/normalize/normalize_terms.h"
#include "tests/backends.h"
#include "tests/kernels/layers/normalize/normalize_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
const Norm kNorms[] = {Norm::kNone, Norm::kBatch, Norm::kGroup, Norm::kEvoNorm};
const Shortcut kShortcuts[] = {Shortcut::kNone, Shortcut::kIdentity, Shortcut::kOptionA};

/// What normalize.h says: how far all results may be from the exact ones, as a part of the tensor's largest value, so
/// that backends are within twice that from each other.
constexpr double kTolerance = 2e-6;

void expect_near(const std::vector<float>& all, int node, const std::vector<double>& exact, const char* what,
                 double tolerance = kTolerance) {
  double largest = 1e-30;
  for (const double v : exact) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < exact.size(); ++i)
    ASSERT_NEAR(all[node * exact.size() + i], exact[i], tolerance * largest) << what << ' ' << i << " of " << node;
}

void expect_forward(const NormalizeCase& c, const NormalizeCase::Forward& f) {
  SCOPED_TRACE(c.name());
  for (int node = 0; node < c.nodes; ++node) expect_near(f.output, node, NormalizeNode(c, node).output(), "output");
}

void expect_backward(const NormalizeCase& c, const NormalizeCase::Backward& b) {
  SCOPED_TRACE(c.name());
  for (int node = 0; node < c.nodes; ++node) {
    const NormalizeGradients exact((NormalizeNode(c, node)));
    expect_near(b.output_gradient, node, exact.of_sum, "gradient of h + shortcut");
    expect_near(b.input_gradient, node, exact.of_input, "input gradient");
    std::vector<double> touched = exact.of_z;  // the others keep what stood there
    std::vector<float> gradient(b.gradient.begin() + node * c.row, b.gradient.begin() + (node + 1) * c.row);
    for (int j = 0; j < c.row; ++j)
      if (exact.of_z[j] == 99) {
        EXPECT_EQ(gradient[j], 99) << j;
        touched[j] = gradient[j] = 0;
      }
    expect_near(gradient, 0, touched, "gradient");
  }
}

/// Around vectors and rows of pixels, and more pixels than one fp32 sum takes.
std::vector<NormalizeCase> cases() {
  std::vector<NormalizeCase> result;
  for (const Norm norm : kNorms) {
    for (const int channels : {1, 2, 6, 16, 17, 64})
      for (const int groups : {1, 2, channels})
        for (const int samples : {1, 2, 5}) {
          if (channels % groups != 0) continue;
          const Shortcut skip = samples == 2 ? Shortcut::kIdentity : Shortcut::kNone;
          result.emplace_back(norm, ImageShape{9, 11, channels}, groups, samples, samples == 5 ? 1 : 3, samples != 1,
                              skip, skip);
        }
    result.emplace_back(norm, ImageShape{9, 11, 300}, 3, 2, 1);
    result.emplace_back(norm, ImageShape{40, 60, 6}, 2, 1, 1);
    result.emplace_back(norm, ImageShape{1, 1, 512}, 4, 3, 2);
    for (const int channels : {301, 1036}) result.emplace_back(norm, ImageShape{2, 3, channels}, 7, 2, 2);
    result.emplace_back(norm, ImageShape{33, 35, 64}, 2, 2, 2, true, Shortcut::kOptionA, Shortcut::kOptionA);
  }
  return result;
}

template <class Backend>
class NormalizeOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(NormalizeOn, Backends);

TYPED_TEST(NormalizeOn, ForwardIsTheDefinition) {
  for (const NormalizeCase& c : cases()) expect_forward(c, forward(tested_backend<TypeParam>(), c));
}

TYPED_TEST(NormalizeOn, BackwardIsTheChainRule) {
  for (const NormalizeCase& c : cases()) expect_backward(c, backward(tested_backend<TypeParam>(), c));
}

void expect_same(const NormalizeCase::Forward& f, const NormalizeCase::Forward& wanted) {
  EXPECT_TRUE(same_values(f.output, wanted.output));
  EXPECT_TRUE(same_values(f.saved, wanted.saved));
  EXPECT_TRUE(same_values(f.statistics, wanted.statistics));
}
void expect_same(const NormalizeCase::Backward& b, const NormalizeCase::Backward& wanted) {
  EXPECT_TRUE(same_values(b.output_gradient, wanted.output_gradient));
  EXPECT_TRUE(same_values(b.gradient, wanted.gradient));
  EXPECT_TRUE(same_values(b.input_gradient, wanted.input_gradient));
}

/// Some of every norm, with sums in one part and in several.
std::vector<NormalizeCase> few_cases() {
  std::vector<NormalizeCase> result;
  for (const Norm norm : kNorms) {
    for (const int channels : {6, 16}) result.emplace_back(norm, ImageShape{9, 11, channels}, 2, 2, 3);
    result.emplace_back(norm, ImageShape{40, 60, 6}, 2, 1, 2);
    result.emplace_back(norm, ImageShape{15, 17, 64}, 2, 2, 2, true, Shortcut::kOptionA, Shortcut::kOptionA);
  }
  return result;
}

TYPED_TEST(NormalizeOn, HasTheSameBitsHoweverItRuns) {
  for (const NormalizeCase& c : few_cases()) {
    SCOPED_TRACE(c.name());
    const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
    const NormalizeCase::Backward b = backward(tested_backend<TypeParam>(), c);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      expect_same(forward(backend, c), f);
      expect_same(backward(backend, c), b);
    });
  }
}

/// One node of a case.
NormalizeCase only_node(const NormalizeCase& c, int node) {
  NormalizeCase one = c;
  const auto take = [&](auto& all) {
    const auto size = static_cast<std::ptrdiff_t>(all.size()) / c.nodes;
    all = {all.begin() + node * size, all.begin() + (node + 1) * size};
  };
  one.nodes = 1;
  for (auto* all : {&one.x, &one.input, &one.skip_input, &one.output_gradient, &one.skip_gradient, &one.statistics})
    take(*all);
  take(one.u);
  return one;
}

template <class T>
void append(std::vector<T>& all, const std::vector<T>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

TYPED_TEST(NormalizeOn, NodesHaveTheSameBitsOneByOne) {
  for (const NormalizeCase& c : few_cases()) {
    SCOPED_TRACE(c.name());
    NormalizeCase::Forward f;
    NormalizeCase::Backward b;
    for (int node = 0; node < c.nodes; ++node) {
      const NormalizeCase one = only_node(c, node);
      const NormalizeCase::Forward forward_of = forward(tested_backend<TypeParam>(), one);
      append(f.output, forward_of.output);
      append(f.saved, forward_of.saved);
      append(f.statistics, forward_of.statistics);
      const NormalizeCase::Backward backward_of = backward(tested_backend<TypeParam>(), one);
      append(b.output_gradient, backward_of.output_gradient);
      append(b.gradient, backward_of.gradient);
      append(b.input_gradient, backward_of.input_gradient);
    }
    expect_same(f, forward(tested_backend<TypeParam>(), c));
    expect_same(b, backward(tested_backend<TypeParam>(), c));
  }
}

/// Every way to combine norm, ReLU and shortcuts, at odd heights and widths before and after.
std::vector<NormalizeCase> combinations() {
  std::vector<NormalizeCase> result;
  for (const Norm norm : kNorms)
    for (const bool relu : {false, true})
      for (const Shortcut skip : kShortcuts)
        for (const Shortcut later : kShortcuts)
          for (const int groups : {1, 2})
            result.emplace_back(norm, ImageShape{3, 2, 4}, groups, 3, 2, relu, skip, later);
  return result;
}

TYPED_TEST(NormalizeOn, AllCombinationsAreTheDefinition) {
  for (const NormalizeCase& c : combinations()) {
    expect_forward(c, forward(tested_backend<TypeParam>(), c));
    expect_backward(c, backward(tested_backend<TypeParam>(), c));
  }
}

TYPED_TEST(NormalizeOn, BackwardIsTheSlopeOfTheForwardPass) {
  for (const NormalizeCase& c : combinations()) {
    SCOPED_TRACE(c.name());
    const NormalizeCase::Backward b = backward(tested_backend<TypeParam>(), c);
    for (int n = 0; n < c.nodes; ++n) {
      NormalizeNode node(c, n);
      std::vector<double> slope;
      for (double& x : node.input) slope.push_back(node.loss_slope(x));
      expect_near(b.input_gradient, n, slope, "input gradient", 1e-5);
      if (c.layer.has_skip && c.layer.skip == c.layer.shape) {
        slope.clear();
        for (double& x : node.skip) slope.push_back(node.loss_slope(x));
        expect_near(b.output_gradient, n, slope, "gradient of the skip tensor", 1e-5);
      }
      for (int j = 0; j < c.row; ++j) {
        const float computed = b.gradient[n * c.row + j];
        if (computed == 99) continue;
        EXPECT_NEAR(computed, node.loss_slope(node.z[j]), 2e-5 * (1 + std::abs(computed))) << j;
      }
    }
  }
}

TYPED_TEST(NormalizeOn, SavesMeansAndInverseDeviations) {
  for (const NormalizeCase& c : few_cases()) {
    if (c.layer.norm == Norm::kNone) continue;
    const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
    for (int n = 0; n < c.nodes; ++n) {
      const NormalizeNode node(c, n);
      const std::vector<std::vector<int>> sets = node.sets();
      const float* saved = &f.saved[n * c.saved_row()];
      for (std::size_t i = 0; i < sets.size(); ++i) {
        const double inverse = 1 / std::sqrt(node.variance(sets[i]) + NormalizeLayer::kEpsilon);
        EXPECT_NEAR(saved[i], node.mean(sets[i]), 1e-6) << c.name();
        EXPECT_NEAR(saved[sets.size() + i], inverse, 1e-6 * inverse) << c.name();
      }
      EXPECT_EQ(saved[2 * sets.size()], 88) << "beyond what is saved";
    }
  }
}

TYPED_TEST(NormalizeOn, RunningStatisticsMoveByATenth) {
  for (const int samples : {1, 2}) {
    const NormalizeCase c(Norm::kBatch, {5, 3, 6}, 1, samples, 3);
    const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
    for (int n = 0; n < c.nodes; ++n) {
      const NormalizeNode node(c, n);
      const std::vector<std::vector<int>> sets = node.sets();
      std::vector<double> exact = node.statistics;
      for (int k = 0; k < 6; ++k) {
        const double count = 15 * samples;
        exact[2 + k] = 0.9 * exact[2 + k] + 0.1 * node.mean(sets[k]);
        exact[8 + k] = 0.9 * exact[8 + k] + 0.1 * node.variance(sets[k]) * count / (count - 1);
      }
      expect_near(f.statistics, n, exact, "statistics", 1e-6);
    }
  }
}

TYPED_TEST(NormalizeOn, OneValueHasVarianceZero) {
  const NormalizeCase c(Norm::kBatch, {1, 1, 3}, 1, 1, 1);
  const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
  expect_forward(c, f);
  for (int k = 0; k < 3; ++k) EXPECT_FLOAT_EQ(f.statistics[5 + k], 0.9f * c.statistics[5 + k]);
}

TYPED_TEST(NormalizeOn, InferenceUsesRunningStatisticsAndKeepsThem) {
  for (const Norm norm : kNorms)
    for (const Shortcut skip : kShortcuts) {
      NormalizeCase c(norm, {5, 3, 8}, 2, 2, 3, true, skip);
      c.training = false;
      const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
      expect_forward(c, f);
      EXPECT_EQ(f.statistics, c.statistics);
      EXPECT_EQ(f.saved, std::vector<float>(f.saved.size(), 88));
    }
}

TYPED_TEST(NormalizeOn, LargeMeansKeepTheVariance) {
  for (const Norm norm : {Norm::kBatch, Norm::kGroup, Norm::kEvoNorm})
    for (const float outlier : {0.0f, 500.0f}) {
      NormalizeCase c(norm, {32, 32, 16}, 4, 4, 1);
      c.input = sines(c.input.size(), 1.1f, 1.0f, 1000.0f);
      for (int k = 0; k < 16; ++k) c.input[k] -= outlier;  // the first pixel is far from the others
      const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
      const NormalizeNode node(c, 0);
      const std::vector<std::vector<int>> sets = node.sets();
      for (std::size_t i = 0; i < sets.size(); ++i) {
        const double inverse = f.saved[sets.size() + i], exact = node.variance(sets[i]);
        EXPECT_NEAR(1 / (inverse * inverse) - NormalizeLayer::kEpsilon, exact, 1e-5 * exact) << c.name();
      }
    }
}

TYPED_TEST(NormalizeOn, EqualValuesHaveVarianceZero) {
  for (const Norm norm : {Norm::kBatch, Norm::kGroup, Norm::kEvoNorm})
    for (const float value : {0.0f, 0.1f, -1234.567f, 3e12f}) {
      NormalizeCase c(norm, {9, 11, 6}, 2, 5, 1, false);
      std::fill(c.input.begin(), c.input.end(), value);
      const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
      const std::size_t sets = (f.saved.size() - 1) / 2;
      for (std::size_t i = 0; i < sets; ++i) {
        EXPECT_EQ(f.saved[i], value);
        EXPECT_EQ(f.saved[sets + i], static_cast<float>(1.0 / std::sqrt(double{NormalizeLayer::kEpsilon})));
      }
      if (norm == Norm::kEvoNorm) continue;
      for (std::size_t i = 0; i < f.output.size(); ++i)
        EXPECT_EQ(f.output[i], c.x[c.layer.beta + i % 6] * static_cast<float>(1.0 / c.u[0]));
    }
}

TYPED_TEST(NormalizeOn, WithoutNormOrReluValuesStayAsTheyAre) {
  NormalizeCase c(Norm::kNone, {1, 2, 4}, 1, 1, 1, false);
  c.input = {0.0f, -0.0f, 1e-45f, kNan, kInfinity, -kInfinity, 3e38f, -1.5f};
  EXPECT_TRUE(same_values(forward(tested_backend<TypeParam>(), c).output, c.input));
  const NormalizeCase::Backward b = backward(tested_backend<TypeParam>(), c);
  EXPECT_TRUE(same_values(b.output_gradient, c.output_gradient));
  EXPECT_TRUE(same_values(b.input_gradient, c.output_gradient));
}

TYPED_TEST(NormalizeOn, ReluKeepsNotANumberAndItsGradient) {
  NormalizeCase c(Norm::kNone, {1, 1, 4}, 1, 1, 1);
  c.input = {kNan, -1.0f, 0.0f, -kInfinity};
  c.output_gradient = {1, 2, 3, 4};
  EXPECT_TRUE(same_values(forward(tested_backend<TypeParam>(), c).output, {kNan, 0, 0, 0}));
  EXPECT_EQ(backward(tested_backend<TypeParam>(), c).input_gradient, (std::vector<float>{1, 0, 0, 0}));
}

TYPED_TEST(NormalizeOn, HardValuesMakeNotANumberOfWhatTheyShareStatisticsWithAndOfNothingElse) {
  for (const Norm norm : {Norm::kBatch, Norm::kGroup, Norm::kEvoNorm})
    for (const float bad : {kNan, kInfinity, -kInfinity})
      for (const int where : {0, 37, 9 * 11 * 6 + 7}) {
        const NormalizeCase clean(norm, {9, 11, 6}, 2, 2, 2);
        NormalizeCase c = clean;
        c.input[where] = bad;
        const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c),
                                     wanted = forward(tested_backend<TypeParam>(), clean);
        const NormalizeCase::Backward b = backward(tested_backend<TypeParam>(), c),
                                      wanted_b = backward(tested_backend<TypeParam>(), clean);
        std::vector<char> reached(c.input.size(), false);
        for (const std::vector<int>& set : NormalizeNode(c, 0).sets())
          if (std::find(set.begin(), set.end(), where) != set.end())
            for (const int i : set) reached[i] = true;
        for (std::size_t i = 0; i < reached.size(); ++i) {
          EXPECT_EQ(std::isnan(f.output[i]), reached[i]) << c.name() << ' ' << i;
          EXPECT_EQ(std::isnan(b.input_gradient[i]), reached[i]) << c.name() << ' ' << i;
          if (reached[i]) continue;
          EXPECT_EQ(f.output[i], wanted.output[i]);
          EXPECT_EQ(b.input_gradient[i], wanted_b.input_gradient[i]);
        }
      }
}

TYPED_TEST(NormalizeOn, GatesCloseAndOpenFarFromZero) {
  NormalizeCase c(Norm::kEvoNorm, {1, 4, 1}, 1, 1, 1, false);
  c.input = {-2000, -90, 90, 2000};
  c.x[c.layer.v] = 1;
  expect_forward(c, forward(tested_backend<TypeParam>(), c));
  expect_backward(c, backward(tested_backend<TypeParam>(), c));
}

TEST(Normalize, HasTheSameBitsAtEveryVectorLevel) {
  for (const NormalizeCase& c : combinations()) {
    SCOPED_TRACE(c.name());
    const NormalizeCase::Forward f = forward(tested_cpu(1), c);
    const NormalizeCase::Backward b = backward(tested_cpu(1), c);
    for (const VectorLevel level : tested_vector_levels()) {
      expect_same(forward(Cpu(1, level), c), f);
      expect_same(backward(Cpu(1, level), c), b);
    }
  }
}

TEST(Normalize, ExponentialInFloatIsWithinOneUlp) {
  for (std::uint32_t bits = 0x3000'0000; bits <= std::bit_cast<std::uint32_t>(87.0f); bits += 499) {
    const float x = -std::bit_cast<float>(bits);
    const double exact = std::exp(static_cast<double>(x));
    const auto rounded = static_cast<float>(exact);
    ASSERT_NEAR(exp_nonpositive(x), exact, std::nextafter(rounded, 2.0f) - double{rounded}) << x;
  }
  EXPECT_EQ(exp_nonpositive(0.0f), 1.0f);
  EXPECT_EQ(exp_nonpositive(-kInfinity), exp_nonpositive(-87.0f));
  EXPECT_TRUE(std::isnan(exp_nonpositive(kNan)));
}

}  // namespace
}  // namespace sparsepush
