#include "kernels/layers/quadratic.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"
#include "kernels/layers/quadratic_terms.h"

namespace sparsepush {
namespace {

void write_gradient(const QuadraticNode* n, std::int64_t row, float* gradient) {
  for (std::int64_t j = 0; j < row; ++j) gradient[j] = n->gradient(j);
}

/// f from its coordinates' terms.
template <class Term>
double loss_of(std::int64_t row, const Term& term) {
  double sum = 0;
  for (std::int64_t j = 0; j < row; ++j) sum += term(j);
  return 0.5 * sum;
}

double loss_at_own_parameters(const QuadraticNode& n, std::int64_t row) {
  return loss_of(row, [&n](std::int64_t j) { return n.term(j); });
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
  cpu.pool().run(step.x.rows, [&](std::int64_t node, int) {
    const QuadraticNode n = quadratic_node(step.objective, step.x, step.u, node);
    run_vectorized(cpu.vector_level(), [&] { write_gradient(&n, step.x.cols, step.gradient.row(node)); });
    step.loss[node] += loss_at_own_parameters(n, step.x.cols);
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
    at.loss[i] = loss_at_own_parameters(quadratic_node(at.objective, at.x, at.u, at.nodes[i]), at.x.cols);
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
    const QuadraticRow problem = quadratic_row(objective, first_node + i);
    loss[i] = loss_of(objective.curvature.cols, [&](std::int64_t j) { return problem.term(j, point[j]); });
  });
}

}  // namespace sparsepush
