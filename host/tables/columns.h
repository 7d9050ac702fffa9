// What a table shows of a run: METRIC[@WHEN][:RELATION].
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "host/tables/run_metrics.h"

namespace sparsepush {

/// Which row of metrics.csv is read.
enum class When {
  kLast,     ///< the last, final rounds included
  kTrained,  ///< the row at the last SGD step
  kBest,     ///< the row of the highest accuracy_mean, or lowest test_loss, the earliest of several
  kMean,     ///< the mean of the last `rows` rows up to the last SGD step
  kReach,    ///< the first row that reaches Reading::reach
  kFull      ///< bytes of a run of full_steps, and of its final rounds
};

/// How a row is compared with its reference: reference - own for a gap, reference / own for a ratio.
enum class Relation { kNone, kGap, kRatio };

struct Column {
  std::string text = {};    ///< the column as written
  std::string metric = {};  ///< a column of metrics.csv, or "seconds"
  When when = When::kLast;
  int rows = 0;  ///< for kMean: rows of the mean
  Relation relation = Relation::kNone;
};

/// What columns need to know besides. `reach` and `full_steps` are there where a column needs them.
struct Reading {
  std::optional<double> reach = {};
  std::string reach_of = "accuracy_mean";
  std::int64_t full_steps = 0;
};

/// Reads METRIC[@WHEN][:RELATION]. Throws InputError that begins with `where` and says what is wrong.
Column parse_column(const std::string& text, const std::string& where);

/// Returns the number that a replica has, of a run of `sgd_steps`, before it is compared with the reference; none where
/// it is empty.
std::optional<double> value_of(const Column& column, const Reading& reading, const ReplicaMetrics& replica,
                               std::int64_t sgd_steps);

/// Returns the column that the reference is read by, without relation. A ratio at the end takes the reference after its
/// last SGD step, before its final rounds.
Column of_reference(Column column);

/// Computes reference - own, or reference / own; none where one of them is missing, or own is 0.
std::optional<double> related(Relation relation, const std::optional<double>& reference,
                              const std::optional<double>& own);

/// Describes the column in words: "accuracy_mean after the last SGD step, before the final rounds".
std::string describe_column(const Column& column, const Reading& reading, const std::string& reference);

}  // namespace sparsepush
