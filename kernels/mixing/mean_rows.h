// An exact mean over the nodes of each replica.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/nodes/due.h"

namespace sparsepush {

/// Arguments of `mean_rows`. Rows are replica-major.
struct MeanRows {
  MatrixView<float> x;        ///< [nodes, row] push-sum numerators
  std::span<const double> u;  ///< [nodes]
  int replicas = 1;
  Due due = {};
};

/// Takes means: x_i = (float)(sum x / sum u) for all nodes i of each replica that is due, element by element; sums in
/// double, in node order. Backends agree exactly (NaN payloads aside).
void mean_rows(const Cpu& cpu, const MeanRows& mean);
void mean_rows(const Cuda& gpu, const MeanRows& mean);

/// Checks the shapes above.
void check_mean_rows_shapes(const MeanRows& mean);

/// Sums u over `nodes` nodes from `first` on, in their order.
constexpr double sum_of_weights(std::span<const double> u, std::int64_t first, std::int64_t nodes) {
  double sum = 0;
  for (std::int64_t i = first; i < first + nodes; ++i) sum += u[i];
  return sum;
}

}  // namespace sparsepush
