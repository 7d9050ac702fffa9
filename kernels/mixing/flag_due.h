// When the nodes of a replica are to average: where a bound on the variance of their models exceeds a threshold.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// What a replica may reach. Of drift d_i from a common reference, and a heading of length 1,
///   variance = mean |d|^2 - |mean d|^2 <= mean |d|^2 - (mean <heading, d>)^2 <= mean |d|^2.
struct VarianceLimit {
  double threshold = 0;
  bool heading_counts = true;  ///< the bound is the middle one, else the right one
};

/// Arguments of `flag_due`, in backend memory. Rows are replica-major.
struct FlagDue {
  MatrixView<const float> drift;         ///< [nodes, 2] |d|^2 and <heading, d> of every node
  std::span<const VarianceLimit> limit;  ///< [replicas]
  std::span<std::int32_t> due;           ///< [replicas] written: 1 or 0
  std::span<std::int64_t> syncs;         ///< [replicas] added to: how often each was due
};

/// Finds the replicas that are due: due[r] = whether the bound exceeds replica r's threshold, which NaN never does;
/// means are sums in double, in node order, over the number of nodes. Backends agree exactly.
void flag_due(const Cpu& cpu, const FlagDue& flag);
void flag_due(const Cuda& gpu, const FlagDue& flag);

/// Checks the shapes above.
void check_flag_due_shapes(const FlagDue& flag);

/// Returns whether the bound exceeds the threshold, from sums over a replica's nodes.
constexpr bool exceeds(const VarianceLimit& limit, double squares, double along, std::int64_t nodes) {
  const double mean = squares / static_cast<double>(nodes), mean_along = along / static_cast<double>(nodes);
  return (limit.heading_counts ? mean - mean_along * mean_along : mean) > limit.threshold;
}

}  // namespace sparsepush
