// Trains what is missing of a table, and writes its files.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "host/records/recorder.h"
#include "host/tables/point_plan.h"

namespace sparsepush {

enum class RunEnd { kFinished, kFinishedBefore, kStopped };

/// Trains a configuration into a folder, from where that is. What ends it otherwise is thrown; the folder says so, too.
using TrainPoint = std::function<RunEnd(const Config&, const std::filesystem::path& folder, const Caller&)>;

struct TableOptions {
  std::filesystem::path out;
  std::string command = {};  ///< that makes this table, for its readers
  int jobs = 1;              ///< points that are trained at once, a thread each
  double memory = 0;         ///< bytes that they may take together; one point is always trained
  std::string only = {};     ///< part of the folder's name of the points to train; empty: all
  bool retry = false;        ///< those that have diverged or are damaged, too, from their beginning
};

struct TableEnd {
  bool stopped = false;       ///< by the caller
  bool all_finished = false;  ///< points
  bool claims_hold = false;   ///< those that are judged
  std::string markdown = {};  ///< table.md
};

/// `caller` is asked and told by one thread at a time; its progress counts the steps of all points. Throws InputError
/// for a folder that is no table's or in use.
TableEnd run_table(const TableFile& file, const std::vector<PointPlan>& plans, const TableOptions& options,
                   const TrainPoint& train, const Caller& caller);

}  // namespace sparsepush
