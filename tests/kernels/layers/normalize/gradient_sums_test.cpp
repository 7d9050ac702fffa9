// Batch normalization backward by sums that a convolution has left of its gradient.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "kernels/layers/norm_gradient.h"
#include "tests/backends.h"
#include "tests/kernels/layers/normalize/normalize_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr double kTolerance = 2e-6;  // as normalize.h says

/// What a convolution leaves of a case: its gradient of h + shortcut, and sums in tiles of `pixels`.
struct Left {
  Left(const NormalizeCase& c, const NormalizeCase::Forward& f, int pixels) {
    const int channels = c.layer.shape.channels, all = c.samples * c.layer.shape.pixels();
    tiles = (all + pixels - 1) / pixels;
    columns = static_cast<int>(NormGradientSums::doubles(tiles, channels)) + 1;
    sums.assign(static_cast<std::size_t>(columns) * c.nodes, 0);
    for (int node = 0; node < c.nodes; ++node) {
      const NormalizeGradients exact((NormalizeNode(c, node)));
      for (int i = 0; i < c.node_size(); ++i) {
        gradient.push_back(static_cast<float>(exact.of_sum[i]));
        const int pixel = i / channels, channel = i % channels;
        const double x = c.input[node * c.node_size() + i], mean = f.saved[node * c.saved_row() + channel];
        double* const tile = sums.data() + node * columns + 2 * (pixel / pixels) * channels + channel;
        tile[0] += gradient.back();
        tile[channels] += gradient.back() * (x - mean);
      }
    }
  }
  int tiles, columns;
  std::vector<float> gradient;  ///< [nodes * samples, shape]
  std::vector<double> sums;     ///< [nodes, columns]
};

/// Neither the output nor what comes through a shortcut is there to be read.
template <class Backend>
NormalizeCase::Backward backward_by_sums(const Backend& backend, const NormalizeCase& c,
                                         const NormalizeCase::Forward& f, const Left& left) {
  const Buffer<Backend, double> sums(backend, c.nodes, left.columns, left.sums);
  NormalizeCase with = c;
  with.output_gradient = left.gradient;
  return with.backward(backend, f, [&](NormalizeBackward b) {
    b.output.data = nullptr;
    b.sums = {.sums = sums.view(), .tiles = left.tiles};
    normalize_backward(backend, b);
  });
}

std::vector<NormalizeCase> cases() {
  std::vector<NormalizeCase> all;
  for (const int channels : {1, 6, 16, 17, 64, 300})
    for (const Shortcut later : {Shortcut::kNone, Shortcut::kIdentity})
      all.emplace_back(Norm::kBatch, ImageShape{9, 11, channels}, 1, 2, 3, true, Shortcut::kNone, later);
  all.emplace_back(Norm::kBatch, ImageShape{3, 3, 16}, 1, 1, 60);
  return all;
}

template <class Backend>
class GradientSumsOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "a Cpu takes none";
    BackendTest<Backend>::SetUp();
  }
};
TYPED_TEST_SUITE(GradientSumsOn, Backends);

void expect_near(const std::vector<double>& exact, const float* computed, const char* what) {
  double largest = 1e-30;
  for (const double v : exact) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(computed[i], exact[i], kTolerance * largest) << what << i;
}

TYPED_TEST(GradientSumsOn, GradientsAreTheChainRule) {
  for (const NormalizeCase& c : cases())
    for (const int pixels : {5, 64, 198}) {
      SCOPED_TRACE(c.name() + ", tiles of " + std::to_string(pixels));
      const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
      const Left left(c, f, pixels);
      const NormalizeCase::Backward b = backward_by_sums(tested_backend<TypeParam>(), c, f, left);
      EXPECT_TRUE(same_values(b.output_gradient, left.gradient)) << "stays as it is";
      for (int node = 0; node < c.nodes; ++node) {
        const NormalizeGradients exact((NormalizeNode(c, node)));
        expect_near(exact.of_input, &b.input_gradient[node * c.node_size()], "input gradient ");
        std::vector<double> of_z = exact.of_z;
        std::vector<float> gradient(b.gradient.begin() + node * c.row, b.gradient.begin() + (node + 1) * c.row);
        for (int j = 0; j < c.row; ++j)
          if (of_z[j] == 99) {
            EXPECT_EQ(gradient[j], 99) << j;
            of_z[j] = gradient[j] = 0;
          }
        expect_near(of_z, gradient.data(), "gradient ");
      }
    }
}

TYPED_TEST(GradientSumsOn, HaveTheSameBitsHoweverTheyAreAddedUp) {
  for (const NormalizeCase& c : cases()) {
    const NormalizeCase::Forward f = forward(tested_backend<TypeParam>(), c);
    const Left left(c, f, 7);
    const NormalizeCase::Backward wanted = backward_by_sums(tested_backend<TypeParam>(), c, f, left);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const NormalizeCase::Backward b = backward_by_sums(backend, c, f, left);
      EXPECT_TRUE(same_values(b.gradient, wanted.gradient));
      EXPECT_TRUE(same_values(b.input_gradient, wanted.input_gradient));
    });
  }
}

TYPED_TEST(GradientSumsOn, AreRefusedIfTheyDoNotFit) {
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_refused = [&](const NormalizeCase& c, const auto& change) {
    const NormalizeCase::Forward f = forward(backend, c);
    const Buffer<TypeParam, double> sums(backend, c.nodes, 3 * 2 * 4);
    c.backward(backend, f, [&](NormalizeBackward b) {
      b.sums = {.sums = sums.view(), .tiles = 3};
      b.output.data = nullptr;
      change(b);
      EXPECT_THROW(normalize_backward(backend, b), std::invalid_argument);
    });
  };
  const NormalizeCase c(Norm::kBatch, {3, 2, 4}, 1, 2, 2);
  expect_refused(c, [](NormalizeBackward& b) { b.sums.tiles = 4; });
  expect_refused(c, [](NormalizeBackward& b) { b.sums.tiles = 0; });
  expect_refused(c, [](NormalizeBackward& b) { b.sums = {}; });
  expect_refused(c, [](NormalizeBackward& b) { b.sums.sums.cols -= 1; });
  expect_refused(c, [](NormalizeBackward& b) { b.sums.sums.rows = 1; });
  expect_refused(NormalizeCase(Norm::kGroup, {3, 2, 4}, 1, 2, 2), [](NormalizeBackward&) {});
}

}  // namespace
}  // namespace sparsepush
