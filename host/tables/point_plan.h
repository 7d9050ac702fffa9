// What the points of a table will take, known before any is trained.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "host/tables/table_file.h"

namespace sparsepush {

struct PointPlan {
  std::string hash = {};  ///< Experiment::hash, as the run's summary has it
  int launch = 0;         ///< points with the same number may be trained side by side
  std::int64_t sgd_steps = 0, final_rounds = 0;
  std::int64_t epoch_steps = 0;  ///< 0: there are no epochs
  std::int64_t evaluations = 0;  ///< rows of metrics.csv up to the last SGD step
  double memory = 0;             ///< bytes
  double bytes_wire = 0;         ///< sent by all replicas: at most, or about where not exact
  bool bytes_are_exact = true;
  std::vector<std::string> columns = {};  ///< columns of metrics.csv
};

/// Makes each point's experiment, and refuses what `run` would refuse. `check_memory` also refuses what does not fit.
/// Throws InputError that names file, line, point and key.
template <class Backend>
std::vector<PointPlan> plan_points(const TableFile& file, bool check_memory);

/// Throws InputError where a column or claim reads what no point measures, or more evaluations than one has.
void check_metrics(const TableFile& file, const std::vector<PointPlan>& plans);

/// Counts the bytes that the points of each launch take side by side, at most kMostPointsAtOnce of them: [launches], 0
/// where they are refused together.
template <class Backend>
std::vector<double> launch_memory(const TableFile& file, const std::vector<PointPlan>& plans);

/// Returns the text of `sparsepush plan` of a table: a line a point, one a launch of several points, and the sums.
std::string describe_points(const TableFile& file, const std::vector<PointPlan>& plans,
                            const std::vector<double>& launch_memory);

}  // namespace sparsepush
