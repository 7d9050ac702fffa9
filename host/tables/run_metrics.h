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
  std::vector<std::string> columns = {};       ///< of metrics.csv, and "seconds"
  std::vector<std::vector<double>> rows = {};  ///< [evaluations][columns] NaN where empty

  std::optional<std::size_t> find(std::string_view name) const;
  std::size_t column(std::string_view name) const;  ///< of one that every run has
};

/// Whether a loss was ever ten times the first test loss: as if the run diverged, of which its log warns then.
bool seems_to_diverge(const ReplicaMetrics& replica);

/// The lines of a file of numbers that are complete, and whether the last one is not and so left out: a run that was
/// killed while it wrote leaves a part of it, and what that says may be a part of a number.
struct CompleteLines {
  NumberTable table = {};
  bool is_torn = false;
};

/// Throws InputError that names the file and the line that is wrong.
CompleteLines read_complete_lines(const std::filesystem::path& path);

/// What a run has left, without a last line that is torn.
struct RunMetrics {
  std::vector<ReplicaMetrics> replicas = {};  ///< in order
  bool is_torn = false;                       ///< of metrics.csv
};

/// `times` are the run's seconds. Throws InputError naming the file, and line, that is not as a run leaves it, also
/// where the rows at `steps` are missing.
RunMetrics read_run_metrics(const std::filesystem::path& folder, const std::vector<RunTime>& times, int replicas,
                            const std::vector<std::int64_t>& steps);

}  // namespace sparsepush
