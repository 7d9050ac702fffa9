#include "host/tables/run_metrics.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "data/files/input_error.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

constexpr double kEmpty = std::numeric_limits<double>::quiet_NaN();

double seconds_at(const std::vector<RunTime>& times, double step) {
  for (const RunTime& time : times)
    if (static_cast<double>(time.step) == step) return time.seconds;
  return kEmpty;
}

void check_steps(const ReplicaMetrics& replica, const std::vector<std::int64_t>& steps, const fs::path& path) {
  for (const std::int64_t step : steps) {
    const auto is_there = [&](const auto& row) { return row[replica.column("step")] == static_cast<double>(step); };
    if (std::ranges::none_of(replica.rows, is_there))
      throw InputError("{}: expected a row at step {} for every replica", path.string(), step);
  }
}

}  // namespace

std::optional<std::size_t> ReplicaMetrics::find(std::string_view name) const {
  const auto it = std::ranges::find(columns, name);
  return it == columns.end() ? std::nullopt : std::optional<std::size_t>(it - columns.begin());
}

std::size_t ReplicaMetrics::column(std::string_view name) const {
  const auto found = find(name);
  CHECK(found, "a run without the column ", name);
  return *found;
}

bool seems_to_diverge(const ReplicaMetrics& replica) {
  constexpr double kGrowth = 10;  // no run that learns has a loss so far above that of its start
  const auto train = replica.find("train_loss"), test = replica.find("test_loss");
  if (!test) return false;
  const auto measured = [&](const auto& row) { return !std::isnan(row[*test]); };
  const auto first = std::ranges::find_if(replica.rows, measured);
  if (first == replica.rows.end() || (*first)[*test] <= 0) return false;
  const double most = kGrowth * (*first)[*test];
  const auto grew = [&](const auto& row) { return row[*test] > most || (train && row[*train] > most); };
  return std::any_of(first, replica.rows.end(), grew);
}

CompleteLines read_complete_lines(const fs::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const bool has_text = fs::is_regular_file(path) && file && file.tellg() > 0;
  if (has_text && file.seekg(-1, std::ios::end).get() != '\n')
    return {.table = read_last_numbers(path, std::numeric_limits<std::size_t>::max()), .is_torn = true};
  return {.table = read_numbers(path)};
}

RunMetrics read_run_metrics(const fs::path& folder, const std::vector<RunTime>& times, int replicas,
                            const std::vector<std::int64_t>& steps) {
  const fs::path path = folder / "metrics.csv";
  auto [table, is_torn] = read_complete_lines(path);
  for (const char* name : {"replica", "step", "accuracy_mean", "test_loss"})
    if (!table.find(name)) throw InputError("{}:1: expected a column {}", path.string(), name);
  const std::size_t replica_column = *table.find("replica"), step_column = *table.find("step");
  table.columns.emplace_back("seconds");
  RunMetrics all{.replicas = {static_cast<std::size_t>(replicas), {.columns = table.columns, .rows = {}}},
                 .is_torn = is_torn};
  for (auto& row : table.rows) {
    const double replica = row[replica_column];
    if (!(replica >= 0 && replica < replicas))
      throw InputError("{}: expected replicas 0 to {}, got {}", path.string(), replicas - 1, replica);
    row.push_back(seconds_at(times, row[step_column]));
    all.replicas[static_cast<std::size_t>(replica)].rows.push_back(std::move(row));
  }
  for (const ReplicaMetrics& replica : all.replicas) check_steps(replica, steps, path);
  return all;
}

}  // namespace sparsepush
