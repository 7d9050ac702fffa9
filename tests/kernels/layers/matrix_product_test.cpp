#include "kernels/layers/matrix_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/layers/dense.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

std::vector<float> values(int count, int salt) {
  std::vector<float> v(count);
  for (int i = 0; i < count; ++i) v[i] = std::sin(static_cast<float>(salt + 7 * i));
  return v;
}

/// Both factors as they are and transposed.
struct Factors {
  Factors(int rows, int cols, int depth)
      : a(values(rows * depth, 1)), b(values(depth * cols, 2)), a_transposed(a), b_transposed(b) {
    for (int i = 0; i < rows; ++i)
      for (int k = 0; k < depth; ++k) a_transposed[k * rows + i] = a[i * depth + k];
    for (int k = 0; k < depth; ++k)
      for (int j = 0; j < cols; ++j) b_transposed[j * depth + k] = b[k * cols + j];
  }
  std::vector<float> a, b, a_transposed, b_transposed;
};

MatrixProduct product_of(const Factors& f, int rows, int cols, int depth, int transposed, float* c) {
  const bool a_transposed = transposed & 1, b_transposed = transposed & 2;
  return {.rows = rows,
          .cols = cols,
          .depth = depth,
          .a = (a_transposed ? f.a_transposed : f.a).data(),
          .a_transposed = a_transposed,
          .b = (b_transposed ? f.b_transposed : f.b).data(),
          .b_transposed = b_transposed,
          .scale = 0.7f,
          .c = c};
}

struct Shape {
  int rows, cols, depth;
};
const Shape kShapes[] = {{1, 1, 1},   {2, 4, 3},   {3, 8, 8},     {5, 16, 16},  {8, 17, 15},
                         {9, 33, 17}, {12, 5, 64}, {16, 15, 255}, {17, 3, 256}, {10, 31, 600}};

TEST(MultiplySmall, AddsUpInOrderWhateverTheVectorsAndTheLayout) {
  for (const auto& [rows, cols, depth] : kShapes) {
    const Factors f(rows, cols, depth);
    std::vector<float> expected(rows * cols);
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < cols; ++j) {
        float sum = 0;
        for (int k = 0; k < depth; ++k) sum += f.a[i * depth + k] * f.b[k * cols + j];
        expected[i * cols + j] = sum * 0.7f;
      }
    for (const VectorLevel level : tested_vector_levels())
      for (int transposed = 0; transposed < 4; ++transposed) {
        std::vector<float> c(rows * cols + 1, 99);
        multiply_small(product_of(f, rows, cols, depth, transposed, c.data()), level);
        EXPECT_EQ(c.back(), 99);
        c.pop_back();
        EXPECT_EQ(c, expected) << rows << " x " << cols << " x " << depth << ", " << name_of(level) << ", transposed "
                               << transposed;
      }
  }
}

TEST(MultiplySmall, KeepsNotANumberInItsRow) {
  const std::vector<float> a = {2, NAN}, b = {1};
  for (const VectorLevel level : tested_vector_levels()) {
    std::vector<float> c(2);
    multiply_small({.rows = 2, .cols = 1, .depth = 1, .a = a.data(), .b = b.data(), .c = c.data()}, level);
    EXPECT_EQ(c[0], 2);
    EXPECT_TRUE(std::isnan(c[1]));
  }
}

TEST(Multiply, LargeProductsAreWithinTheirBound) {
  const int rows = 20, cols = 700, depth = 800;
  const Factors f(rows, cols, depth);
  std::vector<float> c(rows * cols);
  use_single_threaded_products(tested_cpu(1));
  for (int transposed = 0; transposed < 4; ++transposed) {
    const MatrixProduct product = product_of(f, rows, cols, depth, transposed, c.data());
    ASSERT_FALSE(is_small(product));
    multiply(product, tested_vector_level());
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < cols; j += 7) {
        double sum = 0, magnitude = 0;
        for (int k = 0; k < depth; ++k) {
          const double term = static_cast<double>(f.a[i * depth + k]) * f.b[k * cols + j] * 0.7f;
          sum += term;
          magnitude += std::abs(term);
        }
        EXPECT_NEAR(c[i * cols + j], sum, (depth + 1) * 0x1p-24 * magnitude);
      }
  }
}

TEST(Multiply, TakesTheSmallWayUpToTwoMebibytes) {
  const MatrixProduct fits{.rows = 512, .cols = 512, .depth = 256};
  EXPECT_TRUE(is_small(fits));
  MatrixProduct larger = fits;
  ++larger.depth;
  EXPECT_FALSE(is_small(larger));
}

}  // namespace
}  // namespace sparsepush
