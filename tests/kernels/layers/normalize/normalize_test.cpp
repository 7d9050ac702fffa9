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

/// How far all results may be from the exact ones, as a part of the tensor's largest value; backends from each other
/// twice that.
constexpr double kTolerance = 2e-6;

template <class Backend>
NormalizeCase::Forward forward(const Backend& backend, const NormalizeCase& c) {
  return c.forward(backend, [&](const NormalizeForward& f) { normalize_forward(backend, f); });
}
template <class Backend>
NormalizeCase::Backward backward(const Backend& backend, const NormalizeCase& c) {
  return c.backward(backend, forward(backend, c), [&](const NormalizeBackward& b) { normalize_backward(backend, b); });
}

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
    result.emplace_back(norm, ImageShape{33, 35, 64}, 2, 2, 2, true, Shortcut::kOptionA, Shortcut::kOptionA);
  }
  return result;
}

template <class Backend>
class NormalizeOn : public BackendTest<Backend> {};
using NormalizeBackends = testing::Types<Cpu>;
TYPED_TEST_SUITE(NormalizeOn, NormalizeBackends);

TYPED_TEST(NormalizeOn, ForwardIsTheDefinition) {
  for (const NormalizeCase& c : cases()) {
    const NormalizeCase::Forward first = forward(tested_backend<TypeParam>(), c);
    expect_forward(c, first);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const NormalizeCase::Forward f = forward(backend, c);
      EXPECT_TRUE(same_values(f.output, first.output)) << c.name();
      EXPECT_TRUE(same_values(f.saved, first.saved)) << c.name();
      EXPECT_TRUE(same_values(f.statistics, first.statistics)) << c.name();
    });
  }
}

TYPED_TEST(NormalizeOn, BackwardIsTheChainRule) {
  for (const NormalizeCase& c : cases()) {
    const NormalizeCase::Backward first = backward(tested_backend<TypeParam>(), c);
    expect_backward(c, first);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const NormalizeCase::Backward b = backward(backend, c);
      EXPECT_TRUE(same_values(b.output_gradient, first.output_gradient)) << c.name();
      EXPECT_TRUE(same_values(b.gradient, first.gradient)) << c.name();
      EXPECT_TRUE(same_values(b.input_gradient, first.input_gradient)) << c.name();
    });
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
  for (const NormalizeCase& c : cases()) {
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
    const NormalizeCase::Forward f = forward(tested_cpu(1), c);
    const NormalizeCase::Backward b = backward(tested_cpu(1), c);
    for (const VectorLevel level : tested_vector_levels()) {
      const NormalizeCase::Forward at_level = forward(Cpu(1, level), c);
      const NormalizeCase::Backward back = backward(Cpu(1, level), c);
      EXPECT_TRUE(same_values(at_level.output, f.output)) << c.name();
      EXPECT_TRUE(same_values(at_level.saved, f.saved)) << c.name();
      EXPECT_TRUE(same_values(at_level.statistics, f.statistics)) << c.name();
      EXPECT_TRUE(same_values(back.output_gradient, b.output_gradient)) << c.name();
      EXPECT_TRUE(same_values(back.gradient, b.gradient)) << c.name();
      EXPECT_TRUE(same_values(back.input_gradient, b.input_gradient)) << c.name();
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

TEST(Normalize, RefusesForwardShapesThatDoNotFit) {
  const NormalizeCase good(Norm::kEvoNorm, {5, 3, 8}, 2, 2, 2, true, Shortcut::kOptionA);
  const auto expect_refused = [&](auto change, Norm norm = Norm::kEvoNorm) {
    NormalizeCase c = good;
    c.layer.norm = norm;
    EXPECT_NO_THROW(c.forward(tested_cpu(1), [](const NormalizeForward& f) { check_normalize_forward_shapes(f); }));
    const auto refused = [&](NormalizeForward f) {
      change(f);
      EXPECT_THROW(normalize_forward(tested_cpu(1), f), std::invalid_argument);
    };
    c.forward(tested_cpu(1), refused);
  };
  expect_refused([](NormalizeForward& f) { f.layer.shape.channels = 0; });
  expect_refused([](NormalizeForward& f) { f.u = f.u.first(1); });
  expect_refused([](NormalizeForward& f) { f.input.rows = 3; });
  expect_refused([](NormalizeForward& f) { f.input.cols -= 1; });
  expect_refused([](NormalizeForward& f) { f.output.rows = 2; });
  expect_refused([](NormalizeForward& f) { f.output.cols += 1; });
  expect_refused([](NormalizeForward& f) { f.layer.gamma = -1; });
  expect_refused([](NormalizeForward& f) { f.layer.beta = f.x.cols - 7; });
  expect_refused([](NormalizeForward& f) { f.layer.v = f.x.cols - 7; });
  expect_refused([](NormalizeForward& f) { f.layer.groups = 3; });
  expect_refused([](NormalizeForward& f) { f.layer.groups = 0; }, Norm::kGroup);
  expect_refused([](NormalizeForward& f) { f.saved.cols = 7; });
  expect_refused([](NormalizeForward& f) { f.saved.rows = 1; });
  expect_refused([](NormalizeForward& f) { f.skip = {}; });
  expect_refused([](NormalizeForward& f) { f.skip.rows = 2; });
  expect_refused([](NormalizeForward& f) { f.layer.skip.height = 8; });
  expect_refused([](NormalizeForward& f) { f.layer.skip.channels = 8; });
  expect_refused([](NormalizeForward& f) { f.statistics.cols = 17; }, Norm::kBatch);
  expect_refused([](NormalizeForward& f) { f.statistics.rows = 1; }, Norm::kBatch);
  expect_refused([](NormalizeForward& f) { f.layer.statistics = -1; }, Norm::kBatch);
}

TEST(Normalize, RefusesBackwardShapesThatDoNotFit) {
  const NormalizeCase good(Norm::kGroup, {5, 3, 8}, 2, 2, 2, true, Shortcut::kNone, Shortcut::kOptionA);
  const NormalizeCase::Forward before = forward(tested_cpu(1), good);
  const auto expect_refused = [&](auto change) {
    const auto refused = [&](NormalizeBackward b) {
      EXPECT_NO_THROW(check_normalize_backward_shapes(b));
      change(b);
      EXPECT_THROW(normalize_backward(tested_cpu(1), b), std::invalid_argument);
    };
    good.backward(tested_cpu(1), before, refused);
  };
  expect_refused([](NormalizeBackward& b) { b.output.rows = 2; });
  expect_refused([](NormalizeBackward& b) { b.saved.cols = 7; });
  expect_refused([](NormalizeBackward& b) { b.output_gradient.cols -= 1; });
  expect_refused([](NormalizeBackward& b) { b.input_gradient = {}; });
  expect_refused([](NormalizeBackward& b) { b.gradient.rows = 1; });
  expect_refused([](NormalizeBackward& b) { b.gradient.cols -= 1; });
  expect_refused([](NormalizeBackward& b) { b.skip_gradient.rows = 2; });
  expect_refused([](NormalizeBackward& b) { b.skip_shape.width = 3; });
  expect_refused([](NormalizeBackward& b) { b.skip_gradient.cols -= 1; });
}

}  // namespace
}  // namespace sparsepush
