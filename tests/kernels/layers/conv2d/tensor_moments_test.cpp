// The moments that convolutions on tensor cores leave of their outputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels/layers/conv2d/tensor_tiles.h"
#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/tf32_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

using Shape = Tf32Shape;

struct WithMoments {
  std::vector<float> output;
  std::vector<double> moments;  ///< [nodes, tiles, 3, channels], and one more a node
};

std::int64_t moments_a_node(const Conv2dCase& c) {
  return moment_tiles(c.layer, c.shape.samples).doubles(c.layer.out) + 1;
}

template <class Backend>
WithMoments forward_with_moments(const Backend& backend, const Conv2dCase& c) {
  const int columns = static_cast<int>(moments_a_node(c)), outputs = c.layer.out_shape().size();
  Conv2d<Backend> conv(backend, c.layer, c.shape.nodes, c.shape.samples);
  const Buffer<Backend, float> x(backend, c.shape.nodes, c.row, c.x),
      input(backend, c.rows(), c.layer.in.size(), c.input), output(backend, c.rows(), outputs);
  const Buffer<Backend, double> u(backend, c.u),
      moments(backend, c.shape.nodes, columns, std::vector<double>(c.shape.nodes * columns, 77));
  conv.forward(
      backend,
      {.x = x.view(), .u = u.span(), .input = input.view(), .output = output.view(), .moments = moments.view()});
  return {output.to_host(), moments.to_host()};
}

/// The pixels of one tile and channel, from a case's outputs.
std::vector<double> pixels_of(const Conv2dCase& c, const std::vector<float>& output, int node, int tile, int channel) {
  const int all = c.shape.samples * c.layer.out_shape().pixels(), each = moment_tiles(c.layer, c.shape.samples).pixels;
  std::vector<double> pixels;
  for (int pixel = tile * each; pixel < std::min((tile + 1) * each, all); ++pixel)
    pixels.push_back(output[(node * all + pixel) * c.layer.out + channel]);
  return pixels;
}

PivotSums sums_at(const Conv2dCase& c, const std::vector<double>& moments, int node, int tile, int channel) {
  const double* at = moments.data() + node * moments_a_node(c) + 3 * tile * c.layer.out + channel;
  return {at[0], at[c.layer.out], at[2 * c.layer.out]};
}

/// Calls body(node, tile, channel).
void for_each_tile(const Conv2dCase& c, const auto& body) {
  for (int node = 0; node < c.shape.nodes; ++node)
    for (int tile = 0; tile < moment_tiles(c.layer, c.shape.samples).count; ++tile)
      for (int channel = 0; channel < c.layer.out; ++channel) body(node, tile, channel);
}

/// Sums are those of the outputs: each fp32 sum of 64 terms takes ten roundings, and their differences one.
void expect_the_moments(const Conv2dCase& c, const WithMoments& computed) {
  constexpr double kRoundings = 16 * 0x1p-24;
  for_each_tile(c, [&](int node, int tile, int channel) {
    SCOPED_TRACE(testing::Message() << "node " << node << ", tile " << tile << ", channel " << channel);
    const std::vector<double> pixels = pixels_of(c, computed.output, node, tile, channel);
    const auto pixel_count = static_cast<double>(pixels.size());
    const PivotSums sums = sums_at(c, computed.moments, node, tile, channel);
    double of_first = 0, sum = 0, square = 0, magnitude = 0, mean = 0, about_mean = 0;
    for (std::size_t i = 0; i < 8; ++i) of_first += pixels[i < pixels.size() ? i : 0] / 8;
    ASSERT_NEAR(sums.pivot, of_first, 1e-6 * (1 + std::abs(of_first)));
    for (const double v : pixels) {
      sum += v - sums.pivot, magnitude += std::abs(v - sums.pivot), square += std::pow(v - sums.pivot, 2);
      mean += v / pixel_count;
    }
    for (const double v : pixels) about_mean += std::pow(v - mean, 2);
    // Warps have pivots of their own, between which sums move.
    ASSERT_NEAR(sums.sum, sum, kRoundings * (magnitude + pixel_count * std::sqrt(square / pixel_count)));
    ASSERT_NEAR(sums.square, square, 4 * kRoundings * square);
    ASSERT_NEAR(sums.square - sums.sum * sums.sum / pixel_count, about_mean, 1e-5 * about_mean + 1e-30);
  });
}

template <class Backend>
class TensorMomentsOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "a Cpu leaves none";
    BackendTest<Backend>::SetUp();
  }
};
TYPED_TEST_SUITE(TensorMomentsOn, Backends);

TYPED_TEST(TensorMomentsOn, AreThoseOfTheOutputs) {
  for (const Shape& shape : tf32_shapes()) {
    const Conv2dCase c = case_of(shape);
    if (moment_tiles(c.layer, c.shape.samples).count == 0) continue;
    SCOPED_TRACE(testing::Message() << c.shape);
    const WithMoments computed = forward_with_moments(tested_backend<TypeParam>(), c);
    EXPECT_TRUE(same_values(computed.output, forward(tested_backend<TypeParam>(), c)));
    expect_the_moments(c, computed);
    for (int node = 0; node < c.shape.nodes; ++node)
      EXPECT_EQ(computed.moments[(node + 1) * moments_a_node(c) - 1], 77) << "beyond what is left";
  }
}

/// Of layers in fp32 there are none.
TEST(TensorMoments, EveryLayerOnTensorCoresHasTiles) {
  for (const Shape& shape : tf32_shapes()) {
    Conv2dCase c = case_of(shape);
    const MomentTiles tiles = moment_tiles(c.layer, c.shape.samples);
    const int all = c.shape.samples * c.layer.out_shape().pixels();
    EXPECT_GE(tiles.count * tiles.pixels, all) << c.shape;
    EXPECT_LT((tiles.count - 1) * tiles.pixels, all) << c.shape;
    EXPECT_LE(tiles.pixels, 256) << c.shape;
    c.layer.precision = Precision::kFp32;
    EXPECT_EQ(moment_tiles(c.layer, c.shape.samples).count, 0);
  }
}

/// Tiles of the last warps, of one node and of many, and several of one block.
TYPED_TEST(TensorMomentsOn, HaveTheSameBitsHoweverTheyAreComputed) {
  for (const Shape& shape : {Shape{8, 8, 32, 16, 1, 5, 3}, Shape{6, 10, 16, 32, 2, 3, 3}, Shape{3, 3, 16, 16, 1, 1, 30},
                             Shape{40, 40, 3, 16, 1, 1, 3}, Shape{3, 3, 1, 32, 1, 1, 30}}) {
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    std::vector<double> apart;
    for (int node = 0; node < shape.nodes; ++node) {
      const WithMoments one = forward_with_moments(tested_backend<TypeParam>(), c.of_node(node));
      apart.insert(apart.end(), one.moments.begin(), one.moments.end());
    }
    for_each_way_to_run<TypeParam>(
        [&](const TypeParam& backend) { EXPECT_TRUE(same_values(forward_with_moments(backend, c).moments, apart)); });
  }
}

/// A bias that is a thousand deviations.
TYPED_TEST(TensorMomentsOn, LargeMeansKeepTheVariance) {
  for (const Shape& shape : {Shape{16, 16, 16, 16, 1, 3, 1, true}, Shape{16, 16, 3, 16, 1, 3, 1, true}}) {
    Conv2dCase c = case_of(shape);
    for (int i = 0; i < shape.out; ++i) c.x[c.layer.bias + i] = 3000;
    expect_the_moments(c, forward_with_moments(tested_backend<TypeParam>(), c));
  }
}

TYPED_TEST(TensorMomentsOn, EqualValuesDifferByNothing) {
  for (const float value : {0.1f, -1234.567f, 3e12f})
    for (const Shape& shape : {Shape{7, 9, 16, 32, 1, 3, 1, true}, Shape{1, 3, 3, 16, 1, 1, 1, true}}) {
      Conv2dCase c = case_of(shape);
      c.u = {1};
      std::fill(c.input.begin(), c.input.end(), 0.0f);
      for (int i = 0; i < shape.out; ++i) c.x[c.layer.bias + i] = value;
      const WithMoments computed = forward_with_moments(tested_backend<TypeParam>(), c);
      for_each_tile(c, [&](int node, int tile, int channel) {
        const PivotSums sums = sums_at(c, computed.moments, node, tile, channel);
        EXPECT_EQ(sums.pivot, value);
        EXPECT_EQ(sums.sum, 0);
        EXPECT_EQ(sums.square, 0);
      });
    }
}

/// What is not finite stands in the sums of its tile and channel, and in no others.
TYPED_TEST(TensorMomentsOn, HardValuesReachTheirTilesAndNothingElse) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Shape& shape : {Shape{16, 16, 16, 16, 1, 3, 2, true}, Shape{16, 16, 3, 16, 1, 3, 2, true}}) {
    const Conv2dCase clean = case_of(shape);
    const WithMoments wanted = forward_with_moments(tested_backend<TypeParam>(), clean);
    for (const float bad : {kNan, kInfinity, -kInfinity})
      for (const int at : {0, static_cast<int>(clean.input.size()) / 3, static_cast<int>(clean.input.size()) - 1}) {
        SCOPED_TRACE(testing::Message() << clean.shape << ", " << bad << " in " << at);
        Conv2dCase c = clean;
        c.input[at] = bad;
        const WithMoments computed = forward_with_moments(tested_backend<TypeParam>(), c);
        int reached = 0;
        for_each_tile(c, [&](int node, int tile, int channel) {
          const std::vector<double> pixels = pixels_of(c, computed.output, node, tile, channel);
          const PivotSums sums = sums_at(c, computed.moments, node, tile, channel);
          if (std::ranges::all_of(pixels, [](double v) { return std::isfinite(v); })) {
            EXPECT_EQ(sums.square, sums_at(c, wanted.moments, node, tile, channel).square);
            return;
          }
          ++reached;
          EXPECT_FALSE(std::isfinite(sums.square - sums.sum * sums.sum)) << sums.square << ' ' << sums.sum;
          EXPECT_FALSE(std::isfinite(sums.sum));
        });
        EXPECT_GE(reached, shape.out);
      }
  }
}

TYPED_TEST(TensorMomentsOn, AreRefusedWhereNobodyTakesThem) {
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_refused = [&](const Conv2dCase& c, int columns, int rows) {
    Conv2d<TypeParam> conv(backend, c.layer, c.shape.nodes, c.shape.samples);
    const Buffer<TypeParam, float> x(backend, c.shape.nodes, c.row, c.x),
        input(backend, c.rows(), c.layer.in.size(), c.input), output(backend, c.rows(), c.layer.out_shape().size());
    const Buffer<TypeParam, double> u(backend, c.u), moments(backend, rows, columns);
    EXPECT_THROW(
        conv.forward(
            backend,
            {.x = x.view(), .u = u.span(), .input = input.view(), .output = output.view(), .moments = moments.view()}),
        std::invalid_argument)
        << c.shape << ", moments " << moments.view();
  };
  Conv2dCase c = case_of({8, 8, 16, 16, 1, 3, 2});
  const int needed = static_cast<int>(moments_a_node(c)) - 1;
  expect_refused(c, needed - 1, 2);
  expect_refused(c, needed, 1);
  c.layer.precision = Precision::kFp32;
  expect_refused(c, needed, 2);
  expect_refused(Conv2dCase({8, 8, 16, 16, 3, 1, 1, 3, 2}), needed, 2);
  c = case_of({8, 8, 16, 16, 1, 3, 2});
  c.layer.weight = 9;  // on no 16 bytes
  expect_refused(c, needed, 2);
}

}  // namespace
}  // namespace sparsepush
