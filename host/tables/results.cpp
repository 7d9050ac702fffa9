#include "host/tables/results.h"

#include <algorithm>
#include <cmath>

namespace sparsepush {
namespace {

/// The order in which a row takes its status from points that differ: the first of these that one of them has.
constexpr Status kTelling[] = {Status::kDiverged,    Status::kFailed,  Status::kRunning,
                               Status::kInterrupted, Status::kWaiting, Status::kFinished};

bool holds(const Claim& claim, double value) {
  switch (claim.relation) {
    case Bound::kAtLeast:
      return value >= claim.bound - claim.tolerance;
    case Bound::kAtMost:
      return value <= claim.bound + claim.tolerance;
    case Bound::kNear:
      return std::abs(value - claim.bound) <= claim.tolerance;
  }
  return false;
}

}  // namespace

Results::Results(const TableFile& file, const std::vector<PointPlan>& plans, const std::vector<PointState>& states)
    : file_(file), plans_(plans), states_(states) {
  for (const Row& row : file.rows) rows_.push_back({.replicas = replicas_of(row)});
  for (int r = 0; r < std::ssize(file.rows); ++r) rows_[r] = row_result(r);
  for (int c = 0; c < std::ssize(file.claims); ++c)
    for (const int row : file.claims[c].rows) judge(c, row);
}

std::vector<ReplicaResult> Results::replicas_of(const Row& row) const {
  std::vector<ReplicaResult> replicas;
  for (const int p : row.points) {
    const PointState& state = states_[p];
    const RunConfig& run = file_.points[p].config.run;
    for (int r = 0; r < run.replicas; ++r) {
      // A replica that diverges ends the run of all.
      const bool cut_off = state.status == Status::kDiverged && state.diverged_replica != r;
      replicas.push_back(
          {.point = p, .replica = r, .seed = run.seed + r, .status = cut_off ? Status::kInterrupted : state.status});
    }
  }
  return replicas;
}

std::optional<double> Results::own_value(const Column& column, const ReplicaResult& replica) const {
  const PointState& state = states_[replica.point];
  if (state.status != Status::kFinished) return std::nullopt;
  return value_of(column, file_.settings.reading, state.metrics[replica.replica], plans_[replica.point].sgd_steps);
}

std::optional<double> Results::value(const Column& column, int row, const ReplicaResult& replica) const {
  const std::optional<double> own = own_value(column, replica);
  if (column.relation == Relation::kNone) return own;
  for (const ReplicaResult& other : rows_[file_.reference_rows[row]].replicas)
    if (other.seed == replica.seed) return related(column.relation, own_value(of_reference(column), other), own);
  return std::nullopt;
}

Statistic Results::statistic(const Column& column, int row) const {
  std::vector<std::optional<double>> values;
  for (const ReplicaResult& replica : rows_[row].replicas) values.push_back(value(column, row, replica));
  return statistic_of(values);
}

RowResult Results::row_result(int row) const {
  RowResult result = rows_[row];
  for (const Status status : kTelling) {
    const auto is_so = [&](int p) { return states_[p].status == status; };
    if (std::ranges::none_of(file_.rows[row].points, is_so)) continue;
    result.status = status;
    break;
  }
  const auto count = [&](Status status) {
    return static_cast<int>(std::ranges::count(result.replicas, status, &ReplicaResult::status));
  };
  result.finished = count(Status::kFinished);
  result.diverged = count(Status::kDiverged);
  for (const Column& column : file_.settings.columns) result.columns.push_back(statistic(column, row));
  return result;
}

void Results::judge(int claim_index, int row) {
  const Claim& claim = file_.claims[claim_index];
  ClaimResult result{.claim = claim_index, .row = row, .value = statistic(claim.column, row)};
  const bool compares = claim.column.relation != Relation::kNone;
  const bool is_there = rows_[row].status == Status::kFinished &&
                        (!compares || rows_[file_.reference_rows[row]].status == Status::kFinished);
  if (is_there) {
    // A claim fails where a finished run lacks its number, such as the step of a score that it never reached.
    const bool passes = result.value.mean && holds(claim, *result.value.mean);
    result.verdict = passes ? Verdict::kPass : Verdict::kFail;
  }
  if (const auto interval = interval_of(result.value))
    result.clear = std::abs(claim.bound - *result.value.mean) > *interval;
  claims_.push_back(result);
}

bool Results::all_finished() const {
  return std::ranges::all_of(states_, [](const PointState& state) { return state.status == Status::kFinished; });
}

bool Results::claims_hold() const {
  return std::ranges::all_of(claims_, [&](const ClaimResult& result) {
    return !file_.claims[result.claim].judged || result.verdict == Verdict::kPass;
  });
}

}  // namespace sparsepush
