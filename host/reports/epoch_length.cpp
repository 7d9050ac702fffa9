#include "host/reports/epoch_length.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/files/input_error.h"
#include "host/records/number_table.h"

namespace sparsepush {
namespace {

/// The smallest and the largest number of steps that an epoch may have.
struct Bounds {
  double least = 1, most = std::numeric_limits<double>::infinity();
};

/// Bounds the length of an epoch. An evaluation after `step` steps has seen `epoch` whole epochs: epoch * length <=
/// step < (epoch + 1) * length.
Bounds bounds_of(const ReportRun& run) {
  const ReplicaMetrics& metrics = run.metrics.front();
  const std::size_t step = metrics.column("step"), epoch = *metrics.find("epoch");
  Bounds bounds;
  for (const auto& row : metrics.rows) {
    if (!std::isfinite(row[epoch])) continue;
    const double steps = std::min(row[step], static_cast<double>(run.sgd_steps));  // final rounds belong to no epoch
    bounds.least = std::max(bounds.least, std::floor(steps / (row[epoch] + 1)) + 1);
    if (row[epoch] > 0) bounds.most = std::min(bounds.most, std::floor(steps / row[epoch]));
  }
  return bounds;
}

/// Computes the length: as many steps as all nodes that have samples need for all of them, as partition.csv has these;
/// none without it.
std::optional<double> length_in_partition(const ReportRun& run) try {
  const NumberTable table = read_numbers(run.folder / "partition.csv");
  const auto replica = table.find("replica"), own = table.find("samples");
  if (!replica || !own) return std::nullopt;
  double samples = 0, learners = 0;
  for (const auto& row : table.rows) {
    if (row[*replica] != 0) continue;  // all replicas have epochs of the same length
    samples += row[*own];
    learners += row[*own] > 0 ? 1 : 0;
  }
  return std::ceil(samples / (std::max(1.0, learners) * run.config.data.batch));
} catch (const InputError&) {
  return std::nullopt;
}

}  // namespace

bool has_epochs(const ReportRun& run) {
  const ReplicaMetrics& metrics = run.metrics.front();
  const auto epoch = metrics.find("epoch");
  return epoch && std::ranges::any_of(metrics.rows, [&](const auto& row) { return std::isfinite(row[*epoch]); });
}

std::optional<std::int64_t> epoch_length(const ReportRun& run) {
  if (!has_epochs(run)) return std::nullopt;
  const Bounds bounds = bounds_of(run);
  const auto fits = [&](std::optional<double> length) {
    return length && *length >= bounds.least && *length <= bounds.most;
  };
  if (bounds.least == bounds.most) return static_cast<std::int64_t>(bounds.most);
  if (const std::int64_t given = run.config.data.epoch_steps; given > 0 && fits(static_cast<double>(given)))
    return given;
  if (const auto length = length_in_partition(run); fits(length)) return static_cast<std::int64_t>(*length);
  constexpr double kHardly = 0.01;  // share of the length: within the width of a line
  if (bounds.least <= bounds.most && bounds.most - bounds.least <= kHardly * bounds.most)
    return static_cast<std::int64_t>(bounds.most);
  return std::nullopt;
}

}  // namespace sparsepush
