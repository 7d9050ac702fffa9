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

/// A run to be trained: into which folder, and who hears about it.
struct WantedRun {
  Config config;
  std::filesystem::path folder;
  std::function<void(const std::string& line)> say = [](const auto&) {};
};

/// Trains runs side by side into their folders, from where these are; one that diverges leaves the others alone. What
/// ends all of them otherwise is thrown, InputError before anything is trained; the folders say so, too.
using TrainPoints = std::function<RunEnd(const std::vector<WantedRun>&, const Caller&)>;

struct TableOptions {
  std::filesystem::path out;
  std::string command = {};  ///< the command that makes this table, for its readers
  int jobs = 1;              ///< launches that are trained at once, a thread each
  bool share = false;        ///< points of a launch are trained side by side; else each is a launch of its own
  double memory = 0;         ///< bytes that launches may take together; one is always trained
  std::string only = {};     ///< part of the folders' names of the points to train; empty: all
  bool retry = false;        ///< also points that have diverged or are damaged, from their beginning
};

struct TableEnd {
  bool stopped = false;       ///< by the caller
  bool all_finished = false;  ///< all points
  bool claims_hold = false;   ///< all claims that are judged
  std::string markdown = {};  ///< table.md
};

/// Trains what is missing of a table, and writes its files. `caller` is asked and told by one thread at a time; its
/// progress counts the steps of all points. Throws InputError for a folder that is no table's or in use.
TableEnd run_table(const TableFile& file, const std::vector<PointPlan>& plans, const TableOptions& options,
                   const TrainPoints& train, const Caller& caller);

}  // namespace sparsepush
