// The end of a run's metrics, without what stands before it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

/// Means over replicas of the last evaluation that all of them have. No values where there is none.
struct LastRow {
  std::vector<std::string> columns = {};  ///< columns of metrics.csv
  std::vector<double> values = {};        ///< [columns] NaN where one is empty

  /// Returns the value of a column; none where it is NaN. Throws InputError where there is no such column.
  std::optional<double> value(std::string_view column) const;
};

/// Reads the end of metrics.csv in `folder`, of a run with so many replicas. Throws InputError.
LastRow read_last_row(const std::filesystem::path& folder, std::int64_t replicas);

}  // namespace sparsepush
