// What one run of an experiment leaves in its folder.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/records/checkpoint.h"
#include "host/records/guards.h"
#include "host/records/metrics.h"
#include "host/records/run_folder.h"
#include "host/records/tensorboard.h"
#include "host/state/experiment.h"

namespace sparsepush {

/// Where a run goes, and who hears about it.
struct RunPlace {
  const RunFolder* folder = nullptr;
  std::function<void(const std::string& line)> say = [](const auto&) {};
};

/// Rows, checkpoint, log and summary of a run; its replicas are counted from 0 in all of them.
class RunRecord {
 public:
  /// Prepares to record a run; with `resume`, looks for a checkpoint in the folder. Throws InputError if there is one
  /// that this run cannot go on from. `backend` begins with its name, as describe_backend writes it.
  RunRecord(const Experiment& experiment, int run, RunPlace place, std::string backend, bool resume);

  /// Returns the head of the checkpoint that the run goes on from, if there is one.
  const std::optional<CheckpointHead>& resumed() const { return resumed_; }
  const std::string& checkpoint() const { return checkpoint_; }
  /// Returns whether the record is still to be written: its end has not been told.
  bool is_open() const { return is_open_; }

  /// Begins the run's files or goes on with them, and says what is to be said before the run.
  void open_files();
  /// Adds an evaluation: a row a replica.
  void append(std::vector<MetricsRow> rows);
  /// Waits until all rows are on disk.
  void sync();
  void log(const std::string& line) const { place_.folder->log(line); }

  /// Writes summary.json of a finished run that was killed before it could.
  void complete();
  /// Ends the record: writes summary.json. `status` is finished, interrupted, diverged or failed, the last two for a
  /// `reason`.
  void summarize(const std::string& status, const std::string& reason = "");

 private:
  void begin_tensorboard();
  void warn(const std::string& line);
  /// Returns the run's share of the seconds since it began: the share of its replicas among all.
  double seconds() const;

  const Experiment& experiment_;
  const int run_;
  const Config& config_;
  RunPlace place_;
  std::string backend_;
  std::string device_;  ///< what it runs on, such as "cpu, 2 threads, Intel(R) Xeon(R) Platinum 8480+"
  std::string checkpoint_;
  std::optional<CheckpointHead> resumed_;
  GrowthGuard growth_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<CsvFile> metrics_, nodes_, timing_;
  std::optional<TensorBoardFiles> tensorboard_;
  std::vector<MetricsRow> last_rows_;
  bool is_open_ = true;
};

}  // namespace sparsepush
