// How far each point of a table is: what its folder says.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/tables/point_plan.h"

namespace sparsepush {

enum class Status { kWaiting, kRunning, kFinished, kDiverged, kFailed, kInterrupted };

/// As in points.csv: "waiting", ...
std::string word_of(Status status);

struct PointState {
  Status status = Status::kWaiting;
  std::string folder = {};  ///< its name below points/
  std::int64_t steps_done = 0;
  double seconds = 0;
  std::string reason = {};  ///< of a divergence or failure
  std::optional<int> diverged_replica = {};
  std::vector<ReplicaMetrics> metrics = {};          ///< [replicas] of a finished point
  std::string version = {}, device = {}, date = {};  ///< of its training; empty until it has ended
};

/// Reads `points`/NAME of a point that is not being trained.
PointState read_point_state(const std::filesystem::path& points, const std::string& folder, const TablePoint& point,
                            const PointPlan& plan);

}  // namespace sparsepush
