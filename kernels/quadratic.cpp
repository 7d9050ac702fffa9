#include "kernels/quadratic.h"

#include <algorithm>

#include "kernels/check.h"
#include "kernels/multiversion.h"

namespace sparsepush {
namespace {

/// One node's rows; z_j = x_j * r.
struct NodeRow {
  const float* curvature;
  const float* target;
  const float* x;
  float r;
  std::int64_t row;
};

NodeRow node_row(const QuadraticView& objective, MatrixView<const float> x, std::span<const double> u, int node) {
  const std::int32_t problem = objective.problem[node];
  return {.curvature = objective.curvature.row(problem),
          .target = objective.target.row(problem),
          .x = x.row(node),
          .r = static_cast<float>(1.0 / u[node]),
          .row = x.cols};
}

void write_gradient(const NodeRow* n, float* gradient) {
  for (std::int64_t j = 0; j < n->row; ++j) gradient[j] = n->curvature[j] * (n->x[j] * n->r - n->target[j]);
}

/// f at the point whose coordinate j is z(j). Padding adds +0 and so changes nothing.
template <class Point>
double loss_at(const float* curvature, const float* target, std::int64_t row, const Point& z) {
  double sum = 0;
  for (std::int64_t j = 0; j < row; ++j) {
    const double d = z(j) - static_cast<double>(target[j]);
    sum += static_cast<double>(curvature[j]) * (d * d);
  }
  return 0.5 * sum;
}

double loss_at_own_parameters(const NodeRow& n) {
  return loss_at(n.curvature, n.target, n.row, [&n](std::int64_t j) {
    const float z = n.x[j] * n.r;
    return static_cast<double>(z);
  });
}

void check_objective_shapes(const QuadraticView& objective, int row) {
  CHECK(objective.curvature.cols == row && objective.target.cols == row &&
            objective.curvature.rows == objective.target.rows,
        "curvature ", objective.curvature, ", target ", objective.target, ", row ", row);
}

void check_state_shapes(const QuadraticView& objective, MatrixView<const float> x, std::span<const double> u) {
  check_objective_shapes(objective, x.cols);
  const auto nodes = static_cast<std::size_t>(x.rows);
  CHECK(u.size() == nodes && objective.problem.size() == nodes, "x ", x, ", u ", u.size(), ", problems of ",
        objective.problem.size());
}

}  // namespace

void check_quadratic_gradient_shapes(const QuadraticGradient& step) {
  check_state_shapes(step.objective, step.x, step.u);
  CHECK(step.gradient.rows == step.x.rows && step.gradient.cols == step.x.cols, "gradient ", step.gradient, ", x ",
        step.x);
  CHECK(step.loss.size() == step.u.size(), "losses ", step.loss.size(), ", nodes ", step.u.size());
}

void quadratic_gradient(const Cpu& cpu, const QuadraticGradient& step) {
  check_quadratic_gradient_shapes(step);
  cpu.pool().run(step.x.rows, [&step](std::int64_t node, int) {
    const NodeRow n = node_row(step.objective, step.x, step.u, static_cast<int>(node));
    run_vectorized([&] { write_gradient(&n, step.gradient.row(node)); });
    step.loss[node] += loss_at_own_parameters(n);
  });
}

void check_quadratic_loss_shapes(const QuadraticLoss& at) {
  check_state_shapes(at.objective, at.x, at.u);
  CHECK(at.nodes.size() == at.loss.size(), "nodes ", at.nodes.size(), ", losses ", at.loss.size());
  CHECK(std::ranges::all_of(at.nodes, [&at](int node) { return node >= 0 && node < at.x.rows; }), "x ", at.x);
}

void quadratic_loss(const Cpu& cpu, const QuadraticLoss& at) {
  check_quadratic_loss_shapes(at);
  cpu.pool().run(static_cast<std::int64_t>(at.nodes.size()), [&at](std::int64_t i, int) {
    at.loss[i] = loss_at_own_parameters(node_row(at.objective, at.x, at.u, at.nodes[i]));
  });
}

void check_quadratic_loss_at_shapes(const QuadraticView& objective, std::span<const double> point, int first_node,
                                    std::span<double> loss) {
  check_objective_shapes(objective, static_cast<int>(point.size()));
  CHECK(first_node >= 0 && first_node + loss.size() <= objective.problem.size(), "nodes ", first_node, " + ",
        loss.size(), " of ", objective.problem.size());
}

void quadratic_loss_at(const Cpu& cpu, const QuadraticView& objective, std::span<const double> point, int first_node,
                       std::span<double> loss) {
  check_quadratic_loss_at_shapes(objective, point, first_node, loss);
  cpu.pool().run(static_cast<std::int64_t>(loss.size()), [&](std::int64_t i, int) {
    const std::int32_t problem = objective.problem[first_node + i];
    loss[i] = loss_at(objective.curvature.row(problem), objective.target.row(problem), objective.curvature.cols,
                      [&point](std::int64_t j) { return point[j]; });
  });
}

}  // namespace sparsepush
