// How far each point of a table is: what its folder says.
#pragma once
#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/tables/point_plan.h"

namespace sparsepush {

enum class Status { kWaiting, kRunning, kFinished, kDiverged, kFailed, kInterrupted };

/// Returns the word of points.csv: "waiting", ...
std::string word_of(Status status);

/// What a checkpoint says of how far its run is.
struct SavedPosition {
  std::int64_t step = 0;
  bool untested = false;  ///< the evaluation that is due is still to come
  friend auto operator<=>(const SavedPosition&, const SavedPosition&) = default;
};

struct PointState {
  Status status = Status::kWaiting;
  std::string folder = {};  ///< name of the folder below points/
  std::int64_t steps_done = 0;
  std::optional<SavedPosition> saved = {};  ///< none if the point is finished or has no checkpoint
  double seconds = 0;
  std::string reason = {};  ///< why it diverged or failed
  std::optional<int> diverged_replica = {};
  bool damaged = false;                              ///< what it has left cannot be read, and its run has ended
  std::vector<ReplicaMetrics> metrics = {};          ///< [replicas] of a finished point
  std::string version = {}, device = {}, date = {};  ///< what trained it, and when; empty until it has ended
};

/// Reads the state of a point that is not being trained from its folder `points`/`folder`.
PointState read_point_state(const std::filesystem::path& points, const std::string& folder, const TablePoint& point,
                            const PointPlan& plan);

}  // namespace sparsepush
