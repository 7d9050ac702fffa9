// Messages of low rank by the definition.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/kernels/messages/sum_of_16.h"

namespace sparsepush {

struct Factors {
  int rows = 0, columns = 0, rank = 0;
  std::vector<float> p, q;  ///< [rows, rank], [columns, rank]
};

/// Of m [rows, columns] from w [columns, rank], which the next message begins with afterwards.
inline Factors factors_of(const std::vector<float>& m, int rows, int columns, int rank, std::vector<float>& w) {
  Factors f{rows, columns, rank, std::vector<float>(rows * rank), std::vector<float>(columns * rank)};
  const auto sum = [](int count, const auto& a, const auto& b) {
    return ordered_sum_of_16(count, [&](std::size_t i) { return static_cast<double>(a(i)) * b(i); });
  };
  const auto column_of_p = [&](int c) { return [&f, c](std::size_t a) { return f.p[a * f.rank + c]; }; };
  for (int a = 0; a < rows; ++a)
    for (int c = 0; c < rank; ++c)
      f.p[a * rank + c] = static_cast<float>(sum(
          columns, [&](std::size_t b) { return m[a * columns + b]; }, [&](std::size_t b) { return w[b * rank + c]; }));
  for (int c = 0; c < rank; ++c) {
    for (int k = 0; k < c; ++k) {
      const auto dot = static_cast<float>(sum(rows, column_of_p(k), column_of_p(c)));
      for (int a = 0; a < rows; ++a) f.p[a * rank + c] = std::fma(-dot, f.p[a * rank + k], f.p[a * rank + c]);
    }
    const double norm = std::sqrt(sum(rows, column_of_p(c), column_of_p(c)));
    for (int a = 0; a < rows; ++a) f.p[a * rank + c] = norm == 0 ? 0.0f : static_cast<float>(f.p[a * rank + c] / norm);
    for (int b = 0; b < columns; ++b) {
      f.q[b * rank + c] = static_cast<float>(sum(
          rows, [&](std::size_t a) { return m[a * columns + b]; }, column_of_p(c)));
      if (norm != 0) w[b * rank + c] = f.q[b * rank + c];
    }
  }
  return f;
}

/// What a receiver makes of it.
inline std::vector<float> product_of(const Factors& f) {
  std::vector<float> product;
  for (int a = 0; a < f.rows; ++a)
    for (int b = 0; b < f.columns; ++b) {
      float element = 0;
      for (int c = 0; c < f.rank; ++c) element = std::fma(f.p[a * f.rank + c], f.q[b * f.rank + c], element);
      product.push_back(element);
    }
  return product;
}

}  // namespace sparsepush
