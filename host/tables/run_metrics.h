// The numbers that a run has left in its folder, as they are printed there.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/records/number_table.h"
#include "host/records/run_times.h"

namespace sparsepush {

/// One replica's rows of metrics.csv.
struct ReplicaMetrics {
  std::vector<std::string> columns = {};       ///< columns of metrics.csv, and "seconds"
  std::vector<std::vector<double>> rows = {};  ///< [evaluations][columns] NaN where empty

  std::optional<std::size_t> find(std::string_view name) const;
  std::size_t column(std::string_view name) const;  ///< place of a column that every run has
};

/// Returns whether a loss was ever above ten times the first test loss. The run's log then warns that it seems to
/// diverge.
bool seems_to_diverge(const ReplicaMetrics& replica);

/// The complete lines of a file of numbers, without a last line that is torn: a run that was killed while it wrote
/// leaves a part of a line, which may end within a number.
struct CompleteLines {
  NumberTable table = {};
  bool is_torn = false;
};

/// Reads the complete lines of a file. Throws InputError that names the file and the line that is wrong.
CompleteLines read_complete_lines(const std::filesystem::path& path);

/// What a run has left, without a last line that is torn.
struct RunMetrics {
  std::vector<ReplicaMetrics> replicas = {};  ///< in order
  bool is_torn = false;                       ///< whether the last line of metrics.csv is torn
};

/// Reads metrics.csv in `folder`; `times` are the run's seconds. Throws InputError naming the file, and line, that is
/// not as a run leaves it, also where the rows at `steps` are missing.
RunMetrics read_run_metrics(const std::filesystem::path& folder, const std::vector<RunTime>& times, int replicas,
                            const std::vector<std::int64_t>& steps);

}  // namespace sparsepush
