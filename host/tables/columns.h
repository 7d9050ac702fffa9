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
  kTrained,  ///< that at the last SGD step
  kBest,     ///< of the highest accuracy_mean, or lowest test_loss, the earliest of several
  kMean,     ///< mean of the last `rows` up to the last SGD step
  kReach,    ///< the first that reaches Reading::reach
  kFull      ///< bytes of a run of full_steps, and of its final rounds
};

/// To the row that is the reference.
enum class Relation { kNone, kGap, kRatio };

struct Column {
  std::string text = {};    ///< as written
  std::string metric = {};  ///< a column of metrics.csv, or "seconds"
  When when = When::kLast;
  int rows = 0;  ///< of kMean
  Relation relation = Relation::kNone;
};

/// What columns need to know besides. `reach` and `full_steps` are there where a column needs them.
struct Reading {
  std::optional<double> reach = {};
  std::string reach_of = "accuracy_mean";
  std::int64_t full_steps = 0;
};

/// Throws InputError, which begins with `where`: what is wrong with the grammar.
Column parse_column(const std::string& text, const std::string& where);

/// The number that a replica has, of a run of `sgd_steps`, without relation; none where it is empty.
std::optional<double> value_of(const Column& column, const Reading& reading, const ReplicaMetrics& replica,
                               std::int64_t sgd_steps);

/// The column as the reference of `column` has it.
Column of_reference(Column column);

/// reference - own, or reference / own.
std::optional<double> related(Relation relation, const std::optional<double>& reference,
                              const std::optional<double>& own);

/// The column in words: "accuracy_mean after step T, before the final rounds, ...".
std::string describe_column(const Column& column, const Reading& reading, const std::string& reference);

}  // namespace sparsepush
