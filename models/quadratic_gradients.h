// Nodes that each minimise a quadratic of their own: the microscope for algorithms.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "data/quadratic.h"
#include "kernels/buffer.h"
#include "kernels/quadratic.h"
#include "models/gradients.h"

namespace sparsepush {

/// Gradients of a `QuadraticProblem`, computed as kernels/quadratic.h says. Every replica has the same problem.
template <class Backend>
class QuadraticGradients final : public Gradients<Backend> {
 public:
  /// Local node i learns row identity[i] of the problem.
  QuadraticGradients(const Backend& backend, const QuadraticProblem& problem, std::vector<std::int32_t> identity);

  const RowLayout& layout() const override { return layout_; }
  const std::vector<Parameter>& parameters() const override { return parameters_; }
  bool has_accuracy() const override { return false; }
  void initialize(int node, float* row) const override;
  void compute(const Backend& backend, const NodeParameters& at, const std::int64_t* step, MatrixView<float> gradient,
               std::span<double> loss) override;
  void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                   std::span<Score> score) override;
  void score_mean(const Backend& backend, const MeanModel& mean, int first_node, std::span<Score> score) override;

 private:
  QuadraticView objective() const {
    return {.curvature = curvature_.view(), .target = target_.view(), .problem = problem_.span()};
  }

  RowLayout layout_;
  std::vector<Parameter> parameters_;
  std::vector<std::int32_t> identity_;  ///< [nodes]
  std::vector<float> start_;            ///< [params] or [all nodes, params]
  bool start_per_node_ = false;
  int first_problem_ = 0;                      ///< the smallest identity: row 0 of the arrays below
  Buffer<Backend, float> curvature_, target_;  ///< [problems of this shard, row]
  Buffer<Backend, std::int32_t> problem_;      ///< [nodes] which of those rows is a node's
};

}  // namespace sparsepush
