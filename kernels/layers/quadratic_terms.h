// The arithmetic of one coordinate of a quadratic, which all backends share.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/layers/quadratic.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {

/// The rows of one problem.
struct QuadraticRow {
  const float* curvature;  ///< [row]
  const float* target;     ///< [row]

  /// Returns what coordinate j adds to 2 f. Padding adds +0 and so changes nothing.
  constexpr double term(std::int64_t j, double z) const {
    const double d = z - static_cast<double>(target[j]);
    return static_cast<double>(curvature[j]) * (d * d);
  }
};

constexpr QuadraticRow quadratic_row(const QuadraticView& objective, std::int64_t node) {
  const std::int32_t problem = objective.problem[node];
  return {.curvature = objective.curvature.row(problem), .target = objective.target.row(problem)};
}

/// One node's rows; z_j = x_j * r.
struct QuadraticNode {
  QuadraticRow problem;
  const float* x;  ///< [row]
  float r;

  constexpr float z(std::int64_t j) const { return x[j] * r; }
  constexpr float gradient(std::int64_t j) const { return problem.curvature[j] * (z(j) - problem.target[j]); }
  constexpr double term(std::int64_t j) const { return problem.term(j, static_cast<double>(z(j))); }
};

constexpr QuadraticNode quadratic_node(const QuadraticView& objective, MatrixView<const float> x,
                                       std::span<const double> u, std::int64_t node) {
  return {.problem = quadratic_row(objective, node), .x = x.row(node), .r = debias_factor(u[node])};
}

}  // namespace sparsepush
