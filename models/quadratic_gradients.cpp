#include "models/quadratic_gradients.h"

#include <algorithm>
#include <iterator>

#include "kernels/backend/check.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {
namespace {

/// Identities of the first and last problem that any local node has.
std::pair<int, int> problem_range(std::span<const std::int32_t> identity, int problems) {
  CHECK(!identity.empty(), "nodes ", identity.size());
  const auto [least, greatest] = std::ranges::minmax(identity);
  CHECK(least >= 0 && greatest < problems, "identities ", least, " to ", greatest, " of ", problems, " problems");
  return {least, greatest};
}

/// Rows [first, first + count) of an unpadded array, padded.
std::vector<float> padded_rows(const RowLayout& layout, std::span<const float> packed, int first, int count) {
  std::vector<float> rows(static_cast<std::size_t>(count) * layout.row);
  for (std::int64_t i = 0; i < count; ++i)
    unpack_row(layout, packed.data() + (first + i) * layout.params, rows.data() + i * layout.row);
  return rows;
}

std::vector<std::int32_t> offsets_from(std::span<const std::int32_t> identity, int first) {
  std::vector<std::int32_t> offsets(identity.begin(), identity.end());
  for (std::int32_t& offset : offsets) offset -= first;
  return offsets;
}

/// The only column.
std::span<double> losses(MatrixView<double> score) { return {score.data, score.size()}; }

}  // namespace

template <class Backend>
QuadraticGradients<Backend>::QuadraticGradients(const Backend& backend, const QuadraticProblem& problem,
                                                std::span<const std::int32_t> identity)
    : first_problem_(problem_range(identity, problem.nodes).first),
      curvature_(backend, problem_range(identity, problem.nodes).second - first_problem_ + 1,
                 static_cast<int>(make_row_layout(problem.segments).row)),
      target_(backend, curvature_.view().rows, curvature_.view().cols),
      problem_(backend, offsets_from(identity, first_problem_)),
      ones_(backend, std::vector<double>(identity.size(), 1.0)) {
  const RowLayout layout = make_row_layout(problem.segments);
  CHECK(layout.params == problem.params, "segments of ", layout.params, ", problem of ", problem.params);
  curvature_.assign(padded_rows(layout, problem.curvature, first_problem_, curvature_.view().rows));
  target_.assign(padded_rows(layout, problem.target, first_problem_, target_.view().rows));
}

template <class Backend>
void QuadraticGradients<Backend>::compute(const Backend& backend, const GradientIn& in, const GradientOut& out,
                                          std::int64_t /*host_step*/) {
  quadratic_gradient(
      backend, {.objective = objective(), .x = in.at.x, .u = u_of(in.at), .gradient = out.gradient, .loss = out.loss});
}

template <class Backend>
void QuadraticGradients<Backend>::score_nodes(const Backend& backend, const NodeParameters& at,
                                              std::span<const int> nodes, MatrixView<double> score) {
  CHECK(score.rows == std::ssize(nodes) && score.cols == 1, "scores ", score, ", nodes ", nodes.size());
  quadratic_loss(backend, {.objective = objective(), .x = at.x, .u = u_of(at), .nodes = nodes, .loss = losses(score)});
}

template <class Backend>
void QuadraticGradients<Backend>::score_mean(const Backend& backend, const MeanModel& mean, int first_node,
                                             MatrixView<double> score) {
  CHECK(score.cols == 1, "scores ", score);
  quadratic_loss_at(backend, objective(), mean.z, first_node, losses(score));
}

template class QuadraticGradients<Cpu>;
template class QuadraticGradients<Cuda>;

}  // namespace sparsepush
