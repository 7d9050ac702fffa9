// The numbers that a run has left in its folder, as they are printed there.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

/// One replica's rows of metrics.csv.
struct ReplicaMetrics {
  std::vector<std::string> columns = {};       ///< of metrics.csv, and "seconds"
  std::vector<std::vector<double>> rows = {};  ///< [evaluations][columns] NaN where empty

  std::optional<std::size_t> find(std::string_view name) const;
  std::size_t column(std::string_view name) const;  ///< of one that every run has
};

/// Every replica's, in order. Throws InputError naming the file, and line, that is not as a run leaves it, also where
/// the rows at `steps` are missing.
std::vector<ReplicaMetrics> read_run_metrics(const std::filesystem::path& folder, int replicas,
                                             const std::vector<std::int64_t>& steps);

}  // namespace sparsepush
