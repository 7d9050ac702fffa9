// Warnings about runs that are likely to come to nothing.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/records/metrics.h"
#include "host/state/experiment.h"

namespace sparsepush {

/// Lists what can be said before a run of the experiment, a line each, without "warning: ".
std::vector<std::string> warnings_before(const Experiment& experiment, int run = 0);

/// Watches evaluations of a run: warns once of each replica whose loss or error memory has grown beyond bounds. Where
/// nodes start at trained parameters, other data may raise their loss at once: there it has to go on rising.
class GrowthGuard {
 public:
  explicit GrowthGuard(const Experiment& experiment, int run = 0)
      : experiment_(experiment), run_(experiment.runs().at(run)) {}
  /// Returns the warning about an evaluation, if there is one. Replicas are counted from the run's first; losses are
  /// compared with those of the first evaluation that it sees of a replica.
  std::optional<std::string> look_at(const MetricsRow& row);

 private:
  const Experiment& experiment_;
  const Run& run_;
  std::vector<std::optional<double>> first_loss_, last_loss_;  ///< [replicas] as far as seen
  std::set<int> warned_;
};

}  // namespace sparsepush
