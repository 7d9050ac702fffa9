#include "host/reports/report_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

#include "host/recipe/methods.h"
#include "host/reports/epoch_length.h"
#include "host/reports/kept_points.h"
#include "host/reports/row_labels.h"
#include "host/tables/mean_of_replicas.h"

namespace sparsepush {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

/// Returns what the runs of one row have in common, as text.
std::string row_key(const ReportRun& run) {
  Config config = run.config;
  config.run.seed = 0;
  config.run.replicas = 1;
  return results_hash(config) + " " + run.table;
}

std::vector<std::uint64_t> seeds_of(const ReportRun& run) {
  std::vector<std::uint64_t> seeds;
  for (int r = 0; r < run.config.run.replicas; ++r) seeds.push_back(run.config.run.seed + r);
  return seeds;
}

/// One replica with its evaluations by step.
struct StepsOfReplica {
  const ReplicaMetrics* metrics = nullptr;
  std::unordered_map<std::int64_t, std::size_t> rows = {};
};

std::vector<StepsOfReplica> replicas_of(const ReportRow& row) {
  std::vector<StepsOfReplica> replicas;
  for (const ReportRun* run : row.runs) {
    for (const ReplicaMetrics& metrics : run->metrics) {
      StepsOfReplica replica{.metrics = &metrics};
      const std::size_t step = metrics.column("step");
      for (std::size_t i = 0; i < metrics.rows.size(); ++i)
        replica.rows[static_cast<std::int64_t>(metrics.rows[i][step])] = i;
      replicas.push_back(std::move(replica));
    }
  }
  return replicas;
}

std::vector<std::int64_t> common_steps(const std::vector<StepsOfReplica>& replicas) {
  std::vector<std::int64_t> steps;
  for (const auto& [step, i] : replicas.front().rows)
    if (std::ranges::all_of(replicas, [&](const StepsOfReplica& replica) { return replica.rows.contains(step); }))
      steps.push_back(step);
  std::ranges::sort(steps);
  return steps;
}

RowColumn column_of(const std::string& name, const ReportRow& row, const std::vector<StepsOfReplica>& replicas) {
  RowColumn column;
  std::vector<std::optional<std::size_t>> places;  // the column's, in each replica
  for (const StepsOfReplica& replica : replicas) places.push_back(replica.metrics->find(name));
  for (const std::int64_t step : row.step) {
    std::vector<std::optional<double>> values;
    for (std::size_t r = 0; r < replicas.size(); ++r) {
      const double value = places[r] ? replicas[r].metrics->rows[replicas[r].rows.at(step)][*places[r]] : kNoNumber;
      values.push_back(std::isfinite(value) ? std::optional(value) : std::nullopt);
    }
    const Statistic statistic = statistic_of(values);
    column.mean.push_back(statistic.mean.value_or(kNoNumber));
    if (replicas.size() > 1) column.sd.push_back(statistic.sd.value_or(kNoNumber));
  }
  return column;
}

/// Counts epochs with their parts, as the mean over replicas: runs of one row may have epochs of other lengths. Without
/// numbers where the length is not known of some run.
RowColumn parts_of_epochs(const ReportRow& row) {
  double a_step = 0;  // epochs
  for (const ReportRun* run : row.runs) {
    const auto length = epoch_length(*run);
    a_step += length ? run->config.run.replicas / static_cast<double>(*length) : kNoNumber;
  }
  a_step /= row.replicas();
  RowColumn parts;
  for (const std::int64_t step : row.step)
    parts.mean.push_back(static_cast<double>(std::min(step, row.step[row.trained])) * a_step);
  return parts;
}

void fill_columns(ReportRow& row) {
  const auto replicas = replicas_of(row);
  row.step = common_steps(replicas);
  if (row.step.empty()) return;
  std::int64_t sgd_steps = row.runs.front()->sgd_steps;
  const auto after = std::ranges::upper_bound(row.step, sgd_steps);
  row.trained = static_cast<std::size_t>(std::max<std::ptrdiff_t>(after - row.step.begin() - 1, 0));
  for (const std::string& name : row_columns())
    if (name != "epochs") row.columns[name] = column_of(name, row, replicas);
  row.columns["epochs"] = parts_of_epochs(row);
}

std::string colour_of(const std::string& name) {
  const auto known = std::ranges::find(methods(), name, &Method::name);
  return known == methods().end() ? Method().colour : known->colour;
}

}  // namespace

int ReportRow::replicas() const {
  int replicas = 0;
  for (const ReportRun* run : runs) replicas += run->config.run.replicas;
  return replicas;
}

bool ReportRow::has(const std::string& column) const {
  return std::ranges::any_of(mean(column), [](double value) { return std::isfinite(value); });
}

double ReportRow::last(const std::string& column) const { return mean(column).back(); }

const std::vector<std::string>& row_columns() {
  static const std::vector<std::string> names = {
      "epoch",         "epochs",          "bytes_wire",   "seconds",
      "accuracy_mean", "accuracy_min",    "accuracy_max", "accuracy_mean_model",
      "test_loss",     "loss_mean_model", "train_loss",   "consensus",
      "u_min",         "u_max",           "error_ratio"};
  return names;
}

std::vector<ReportRow> make_report_rows(const std::vector<ReportRun>& runs) {
  std::vector<ReportRow> rows;
  std::map<std::string, std::size_t> of_key;          // the last row of that kind
  std::vector<std::set<std::uint64_t>> seeds_of_row;  // a seed that is there twice is a row of its own
  for (const ReportRun& run : runs) {
    const auto seeds = seeds_of(run);
    const auto [known, is_new] = of_key.try_emplace(row_key(run), rows.size());
    const auto is_there = [&](std::uint64_t seed) { return seeds_of_row[known->second].contains(seed); };
    if (is_new || std::ranges::any_of(seeds, is_there)) {
      known->second = rows.size();
      rows.emplace_back().method = run.config.algorithm.name;
      seeds_of_row.emplace_back();
    }
    rows[known->second].runs.push_back(&run);
    seeds_of_row[known->second].insert(seeds.begin(), seeds.end());
  }
  set_labels(rows);
  for (ReportRow& row : rows) {
    row.style.colour = colour_of(row.method);
    fill_columns(row);
  }
  std::erase_if(rows, [](const ReportRow& row) { return row.step.empty(); });
  return rows;
}

void thin(ReportRow& row, std::size_t most) {
  std::vector<const std::vector<double>*> series;
  for (const auto& [name, column] : row.columns) {
    const bool is_axis = name == "epoch" || name == "epochs" || name == "bytes_wire" || name == "seconds";
    if (!is_axis && row.has(name)) series.push_back(&column.mean);
  }
  const std::vector<std::size_t> kept = kept_points(series, row.step.size(), row.trained, most);
  const auto keep = [&](auto& values) {
    auto all = std::move(values);
    values.clear();
    for (const std::size_t i : kept) values.push_back(all[i]);
  };
  row.trained = static_cast<std::size_t>(std::ranges::find(kept, row.trained) - kept.begin());
  keep(row.step);
  for (auto& [name, column] : row.columns) {
    keep(column.mean);
    if (!column.sd.empty()) keep(column.sd);
  }
}

}  // namespace sparsepush
