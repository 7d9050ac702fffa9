#include "models/quadratic_gradients.h"

#include <algorithm>
#include <string>

#include "kernels/check.h"

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

}  // namespace

template <class Backend>
QuadraticGradients<Backend>::QuadraticGradients(const Backend& backend, const QuadraticProblem& problem,
                                                std::vector<std::int32_t> identity)
    : layout_(make_row_layout(problem.segments)),
      identity_(std::move(identity)),
      start_(problem.start),
      start_per_node_(problem.start_per_node),
      first_problem_(problem_range(identity_, problem.nodes).first),
      curvature_(backend, problem_range(identity_, problem.nodes).second - first_problem_ + 1,
                 static_cast<int>(layout_.row)),
      target_(backend, curvature_.view().rows, curvature_.view().cols),
      problem_(backend, offsets_from(identity_, first_problem_)) {
  CHECK(layout_.params == problem.params, "segments of ", layout_.params, ", problem of ", problem.params);
  curvature_.assign(padded_rows(layout_, problem.curvature, first_problem_, curvature_.view().rows));
  target_.assign(padded_rows(layout_, problem.target, first_problem_, target_.view().rows));
  for (std::size_t s = 0; s < problem.segments.size(); ++s)
    parameters_.push_back(
        {.name = problem.segments.size() == 1 ? "x" : "segment" + std::to_string(s), .shape = {problem.segments[s]}});
}

template <class Backend>
void QuadraticGradients<Backend>::initialize(int node, float* row) const {
  const std::int64_t begin = start_per_node_ ? identity_[node] * layout_.params : 0;
  unpack_row(layout_, start_.data() + begin, row);
}

template <class Backend>
void QuadraticGradients<Backend>::compute(const Backend& backend, const NodeParameters& at, const std::int64_t*,
                                          MatrixView<float> gradient, std::span<double> loss) {
  quadratic_gradient(backend, {.objective = objective(), .x = at.x, .u = at.u, .gradient = gradient, .loss = loss});
}

template <class Backend>
void QuadraticGradients<Backend>::score_nodes(const Backend& backend, const NodeParameters& at,
                                              std::span<const int> nodes, std::span<Score> score) {
  CHECK(score.size() == nodes.size(), "scores ", score.size(), ", nodes ", nodes.size());
  std::vector<double> loss(nodes.size());
  quadratic_loss(backend, {.objective = objective(), .x = at.x, .u = at.u, .nodes = nodes, .loss = loss});
  for (std::size_t i = 0; i < nodes.size(); ++i) score[i] = {.loss = loss[i], .accuracy = 0};
}

template <class Backend>
void QuadraticGradients<Backend>::score_mean(const Backend& backend, const MeanModel& mean, int first_node,
                                             std::span<Score> score) {
  std::vector<double> loss(score.size());
  quadratic_loss_at(backend, objective(), mean.z, first_node, loss);
  for (std::size_t i = 0; i < loss.size(); ++i) score[i] = {.loss = loss[i], .accuracy = 0};
}

template class QuadraticGradients<Cpu>;
template class QuadraticGradients<Cuda>;

}  // namespace sparsepush
