// The numbers of a table: of every replica, row and claim.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/tables/mean_of_replicas.h"
#include "host/tables/point_state.h"

namespace sparsepush {

/// One replica of one point.
struct ReplicaResult {
  int point = 0, replica = 0;
  std::uint64_t seed = 0;
  Status status = Status::kWaiting;
};

/// A line of the table.
struct RowResult {
  Status status = Status::kWaiting;  ///< finished if all points are; else the one that tells most
  std::vector<ReplicaResult> replicas = {};
  int finished = 0, diverged = 0;       ///< replicas
  std::vector<Statistic> columns = {};  ///< [columns]
};

enum class Verdict { kPass, kFail, kMissing };

/// A claim about one of its rows.
struct ClaimResult {
  int claim = 0, row = 0;
  Statistic value = {};
  Verdict verdict = Verdict::kMissing;
  std::optional<bool> clear = {};  ///< the bound lies outside the 95 % interval of the mean; none for n = 1
};

/// What the folders of all points say together. `file`, `plans` and `states` must outlive it.
class Results {
 public:
  Results(const TableFile& file, const std::vector<PointPlan>& plans, const std::vector<PointState>& states);

  const std::vector<RowResult>& rows() const { return rows_; }
  const std::vector<ClaimResult>& claims() const { return claims_; }
  /// Returns the number that a column has for a replica of a row; none where it is empty.
  std::optional<double> value(const Column& column, int row, const ReplicaResult& replica) const;
  bool all_finished() const;
  /// Returns whether every judged claim holds.
  bool claims_hold() const;

 private:
  std::vector<ReplicaResult> replicas_of(const Row& row) const;
  std::optional<double> own_value(const Column& column, const ReplicaResult& replica) const;
  Statistic statistic(const Column& column, int row) const;
  RowResult row_result(int row) const;
  void judge(int claim, int row);

  const TableFile& file_;
  const std::vector<PointPlan>& plans_;
  const std::vector<PointState>& states_;
  std::vector<RowResult> rows_;
  std::vector<ClaimResult> claims_;
};

}  // namespace sparsepush
