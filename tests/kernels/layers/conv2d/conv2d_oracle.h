// What a convolution of the tests has to be, by its definition, within the bound of conv2d.h.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/kernels/layers/conv2d/conv2d_case.h"

namespace sparsepush {

/// A sum and what its terms add up to without their signs, in double, and how many they are.
struct Sum {
  double value = 0, magnitude = 0;
  int terms = 0;
  void add(double term) { value += term, magnitude += std::abs(term), ++terms; }
};

/// How far a sum of n terms may be from its exact value, over what their magnitudes add up to: fixed + (n + 3) * each.
struct SumBound {
  double fixed = 0, each = 0x1p-24;
};

inline void expect_within_bound(const std::vector<float>& computed, const std::vector<Sum>& sums, const SumBound& bound,
                                const char* what) {
  ASSERT_EQ(computed.size(), sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    ASSERT_NEAR(computed[i], sums[i].value, (bound.fixed + (sums[i].terms + 3) * bound.each) * sums[i].magnitude)
        << what << ' ' << i;
}

inline void expect_the_convolution(const Conv2dCase& c, const std::vector<float>& output, const SumBound& bound = {}) {
  std::vector<Sum> sums(output.size());
  for (int sample = 0; sample < c.rows(); ++sample)
    for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
      sums[out].add(static_cast<double>(c.input[in]) * c.z(sample / c.shape.samples, weight));
    });
  const int per_sample = c.layer.out_shape().size();
  for (std::size_t i = 0; i < sums.size() && c.shape.bias; ++i)
    sums[i].add(c.z(static_cast<int>(i) / per_sample / c.shape.samples, c.layer.bias + i % c.shape.out));
  expect_within_bound(output, sums, bound, "output");
}

inline void expect_the_gradients(const Conv2dCase& c, const Conv2dGradients& computed, const SumBound& bound = {}) {
  std::vector<Sum> row(c.x.size()), input(c.input.size());
  for (int sample = 0; sample < c.rows(); ++sample) {
    const int node = sample / c.shape.samples;
    for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
      const double dy = c.output_gradient[out];
      row[node * c.row + weight].add(dy * c.input[in]);
      input[in].add(dy * c.z(node, weight));
    });
  }
  const int per_node = c.layer.out_shape().size() * c.shape.samples;
  for (std::size_t i = 0; i < c.output_gradient.size() && c.shape.bias; ++i)
    row[i / per_node * c.row + c.layer.bias + i % c.shape.out].add(c.output_gradient[i]);
  for (int i = 0; i < static_cast<int>(row.size()); ++i) {
    const std::int64_t j = i % c.row, weight = j - c.layer.weight, bias = j - c.layer.bias;
    if (!(weight >= 0 && weight < c.weights()) && !(c.shape.bias && bias >= 0 && bias < c.shape.out))
      row[i].value = kUntouched;
  }
  expect_within_bound(computed.row, row, bound, "row");
  expect_within_bound(computed.input, input, bound, "input");
}

}  // namespace sparsepush
