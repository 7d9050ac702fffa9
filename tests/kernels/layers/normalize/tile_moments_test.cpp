// Batch normalization by moments that a convolution has left.
#include "kernels/layers/tile_moments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/layers/normalize/normalize_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr double kTolerance = 2e-6;  // as normalize.h says

/// Sums of some numbers about a pivot, in double.
PivotSums sums_of(const std::vector<double>& values, double pivot) {
  PivotSums sums{.pivot = pivot};
  for (const double v : values) sums.sum += v - pivot, sums.square += (v - pivot) * (v - pivot);
  return sums;
}

TEST(TileMoments, SumsMoveToAnotherPivot) {
  const std::vector<double> some = {1.5, -2, 7}, others = {100, 101, 103, 90};
  std::vector<double> all = some;
  all.insert(all.end(), others.begin(), others.end());
  PivotSums sums = sums_of(some, 2);
  sums.add(sums_of(others, 99), 4);
  const PivotSums wanted = sums_of(all, 2);
  EXPECT_EQ(sums.pivot, 2);
  EXPECT_DOUBLE_EQ(sums.sum, wanted.sum);
  EXPECT_DOUBLE_EQ(sums.square, wanted.square);
}

/// A case's moments in tiles of `pixels`, each about one of its pixels.
struct CaseWithMoments {
  CaseWithMoments(NormalizeCase c, int pixels) : c(std::move(c)), tiles{.pixels = pixels} {
    const ImageShape& shape = this->c.layer.shape;
    const int all = this->c.samples * shape.pixels();
    tiles.count = (all + pixels - 1) / pixels;
    columns = static_cast<int>(tiles.doubles(shape.channels)) + 1;
    moments.assign(static_cast<std::size_t>(columns) * this->c.nodes, 5);
    for (int node = 0; node < this->c.nodes; ++node)
      for (int tile = 0; tile < tiles.count; ++tile)
        for (int channel = 0; channel < shape.channels; ++channel) {
          std::vector<double> values;
          for (int pixel = tile * pixels; pixel < std::min((tile + 1) * pixels, all); ++pixel)
            values.push_back(this->c.input[(node * all + pixel) * shape.channels + channel]);
          const PivotSums sums = sums_of(values, values[values.size() / 2]);
          double* to = moments.data() + node * columns + 3 * tile * shape.channels + channel;
          to[0] = sums.pivot, to[shape.channels] = sums.sum, to[2 * shape.channels] = sums.square;
        }
  }
  std::string name() const { return c.name() + ", tiles of " + std::to_string(tiles.pixels); }

  NormalizeCase c;
  MomentTiles tiles;
  int columns;
  std::vector<double> moments;  ///< [nodes, columns]
};

template <class Backend>
NormalizeCase::Forward forward(const Backend& backend, const CaseWithMoments& m) {
  const Buffer<Backend, double> moments(backend, m.c.nodes, m.columns, m.moments);
  return m.c.forward(backend, [&](NormalizeForward f) {
    f.moments = {.sums = moments.view(), .tiles = m.tiles};
    normalize_forward(backend, f);
  });
}

/// Tiles of one pixel and of all, last ones that are shorter, channels of several blocks, and more of these than run at
/// once.
std::vector<CaseWithMoments> cases() {
  std::vector<CaseWithMoments> all;
  for (const int channels : {1, 6, 16, 17, 64})
    for (const int pixels : {1, 7, 64, 198})
      all.emplace_back(NormalizeCase(Norm::kBatch, {9, 11, channels}, 1, 2, 3), pixels);
  all.emplace_back(NormalizeCase(Norm::kBatch, {9, 11, 300}, 1, 2, 2), 50);
  all.emplace_back(NormalizeCase(Norm::kBatch, {3, 3, 16}, 1, 3, 60), 8);
  all.emplace_back(NormalizeCase(Norm::kBatch, {1, 1, 4}, 1, 1, 1), 1);
  all.emplace_back(NormalizeCase(Norm::kBatch, {33, 35, 64}, 1, 2, 1, true, Shortcut::kOptionA), 256);
  return all;
}

template <class Backend>
class TileMomentsOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "a Cpu takes none";
    BackendTest<Backend>::SetUp();
  }
};
TYPED_TEST_SUITE(TileMomentsOn, Backends);

void expect_near(const std::vector<double>& exact, const float* computed, double tolerance, const char* what) {
  double largest = 1e-30;
  for (const double v : exact) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(computed[i], exact[i], tolerance * largest) << what << i;
}

TYPED_TEST(TileMomentsOn, NormalizeAsStatisticsOfTheInputDo) {
  for (const CaseWithMoments& m : cases()) {
    SCOPED_TRACE(m.name());
    const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), m);
    for (int n = 0; n < m.c.nodes; ++n) {
      const NormalizeNode node(m.c, n);
      const std::vector<std::vector<int>> sets = node.sets();
      const auto values = static_cast<double>(sets[0].size());
      std::vector<double> statistics = node.statistics, means, inverses;
      const std::size_t channels = sets.size();
      for (std::size_t k = 0; k < channels; ++k) {
        means.push_back(node.mean(sets[k]));
        inverses.push_back(1 / std::sqrt(node.variance(sets[k]) + NormalizeLayer::kEpsilon));
        const double bessel = values > 1 ? values / (values - 1) : 1;
        statistics[2 + k] = 0.9 * statistics[2 + k] + 0.1 * means[k];
        statistics[2 + channels + k] = 0.9 * statistics[2 + channels + k] + 0.1 * bessel * node.variance(sets[k]);
      }
      expect_near(node.output(), &f.output[n * m.c.node_size()], kTolerance, "output ");
      expect_near(means, &f.saved[n * m.c.saved_row()], 1e-6, "mean ");
      expect_near(inverses, &f.saved[n * m.c.saved_row() + channels], 1e-6, "inverse ");
      expect_near(statistics, &f.statistics[n * m.c.statistics_row()], 1e-6, "statistics ");
      EXPECT_EQ(f.saved[n * m.c.saved_row() + 2 * channels], 88) << "beyond what is saved";
    }
  }
}

TYPED_TEST(TileMomentsOn, TheInputIsNotReadForThem) {
  const CaseWithMoments m(NormalizeCase(Norm::kBatch, {9, 11, 16}, 1, 2, 3), 64);
  CaseWithMoments other = m;
  std::fill(other.c.input.begin(), other.c.input.end(), 12345.0f);
  EXPECT_TRUE(
      same_values(forward(tested_backend<TypeParam>(), other).saved, forward(tested_backend<TypeParam>(), m).saved));
}

TYPED_TEST(TileMomentsOn, HaveTheSameBitsHoweverTheyAreAddedUp) {
  for (const CaseWithMoments& m : cases()) {
    SCOPED_TRACE(m.name());
    const NormalizeCase::Forward wanted = forward(tested_backend<TypeParam>(), m);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const NormalizeCase::Forward f = forward(backend, m);
      EXPECT_TRUE(same_values(f.output, wanted.output));
      EXPECT_TRUE(same_values(f.saved, wanted.saved));
      EXPECT_TRUE(same_values(f.statistics, wanted.statistics));
    });
  }
}

TYPED_TEST(TileMomentsOn, HardValuesMakeNotANumberOfTheirChannelAndOfNothingElse) {
  for (const float bad :
       {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
    for (const int where : {0, 37, 9 * 11 * 6 + 7}) {
      NormalizeCase c(Norm::kBatch, {9, 11, 6}, 1, 2, 2);
      const NormalizeCase::Forward wanted = forward(tested_backend<TypeParam>(), CaseWithMoments(c, 32));
      c.input[where] = bad;
      const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), CaseWithMoments(c, 32));
      for (std::size_t i = 0; i < f.output.size(); ++i) {
        const bool reached = static_cast<int>(i) < c.node_size() && static_cast<int>(i) % 6 == where % 6;
        ASSERT_TRUE(reached ? std::isnan(f.output[i]) : f.output[i] == wanted.output[i]) << bad << ' ' << i;
      }
    }
}

TYPED_TEST(TileMomentsOn, EqualValuesHaveVarianceZero) {
  for (const float value : {0.0f, 0.1f, -1234.567f, 3e12f}) {
    NormalizeCase c(Norm::kBatch, {9, 11, 6}, 1, 5, 1, false);
    std::fill(c.input.begin(), c.input.end(), value);
    const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), CaseWithMoments(c, 64));
    for (int k = 0; k < 6; ++k) {
      EXPECT_EQ(f.saved[k], value);
      EXPECT_EQ(f.saved[6 + k], static_cast<float>(1.0 / std::sqrt(double{NormalizeLayer::kEpsilon})));
    }
  }
}

TYPED_TEST(TileMomentsOn, AreRefusedIfTheyDoNotFit) {
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_refused = [&](const CaseWithMoments& m, const auto& change) {
    const Buffer<TypeParam, double> moments(backend, m.c.nodes, m.columns, m.moments);
    m.c.forward(backend, [&](NormalizeForward f) {
      f.moments = {.sums = moments.view(), .tiles = m.tiles};
      change(f);
      EXPECT_THROW(normalize_forward(backend, f), std::invalid_argument);
    });
  };
  const CaseWithMoments m(NormalizeCase(Norm::kBatch, {9, 11, 16}, 1, 2, 3), 64);
  expect_refused(m, [](NormalizeForward& f) { f.moments.sums.cols -= 2; });
  expect_refused(m, [](NormalizeForward& f) { f.moments.sums.rows -= 1; });
  expect_refused(m, [](NormalizeForward& f) { f.moments.tiles.count -= 1; });
  expect_refused(m, [](NormalizeForward& f) { f.moments.tiles.pixels = 32; });
  expect_refused(m, [](NormalizeForward& f) { f.moments.tiles.pixels = 100; });
  expect_refused(m, [](NormalizeForward& f) { f.training = false; });
  expect_refused(CaseWithMoments(NormalizeCase(Norm::kGroup, {9, 11, 16}, 2, 2, 3), 64), [](NormalizeForward&) {});
}

}  // namespace
}  // namespace sparsepush
