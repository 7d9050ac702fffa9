// Nodes that each minimise a quadratic of their own: the microscope for algorithms.
#pragma once
#include <cstdint>
#include <span>

#include "data/sets/quadratic.h"
#include "kernels/backend/buffer.h"
#include "kernels/layers/quadratic.h"
#include "models/gradients.h"

namespace sparsepush {

/// Gradients of a `QuadraticProblem`, computed as kernels/layers/quadratic.h says. Every replica has the same problem.
template <class Backend>
class QuadraticGradients final : public Gradients<Backend> {
 public:
  /// Makes gradients of which local node i learns row identity[i] of the problem.
  QuadraticGradients(const Backend& backend, const QuadraticProblem& problem, std::span<const std::int32_t> identity);

  void compute(const Backend& backend, const GradientIn& in, const GradientOut& out, std::int64_t host_step) override;
  void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                   MatrixView<double> score) override;
  void score_mean(const Backend& backend, const MeanModel& mean, int first_node, MatrixView<double> score) override;

 private:
  QuadraticView objective() const {
    return {.curvature = curvature_.view(), .target = target_.view(), .problem = problem_.span()};
  }

  std::span<const double> u_of(const NodeParameters& at) const { return at.u.empty() ? ones_.span() : at.u; }

  int first_problem_ = 0;                      ///< the smallest identity: row 0 of the arrays below
  Buffer<Backend, float> curvature_, target_;  ///< [problems of this shard, row]
  Buffer<Backend, std::int32_t> problem_;      ///< [nodes] which of those rows is a node's
  Buffer<Backend, double> ones_;               ///< [nodes] u where there is none
};

}  // namespace sparsepush
