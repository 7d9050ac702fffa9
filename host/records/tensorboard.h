// The metrics of a run for TensorBoard.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "host/config/config.h"
#include "host/records/run_folder.h"

namespace sparsepush {

/// Writes `tensorboard/replica_R/events.out.tfevents.sparsepush` of each replica: one scalar a column of metrics.csv
/// and step, and the keys of the configuration that are not at their default as hyperparameters. Times are those of
/// timing.csv, counted from when the folder was made; all else is the same bytes for the same run.
class TensorBoardFiles {
 public:
  /// Begins the files anew, with all that metrics.csv has. Throws std::runtime_error when the disk is full, as all
  /// members below do.
  TensorBoardFiles(const RunFolder& folder, const Config& config);

  /// Appends lines of metrics.csv, measured so many seconds after this part of the run began.
  void append(const std::vector<std::string>& lines, double seconds);
  /// Records that the run has ended, and how.
  void end(bool succeeded) const;

 private:
  void copy_metrics(const std::filesystem::path& folder, double began);
  /// Adds a line of metrics.csv to the records of its replica.
  void add_record(const std::string& line, const std::function<double(std::int64_t step)>& wall_time_at,
                  std::vector<std::string>& records) const;
  /// Appends to each replica's file. They are not kept open: there may be more of them than a process may have.
  void write(const std::vector<std::string>& records) const;

  std::filesystem::path folder_;
  std::size_t replicas_;
  std::vector<std::string> columns_ = {};  ///< columns of metrics.csv
  double began_ = 0;  ///< this part of the run, in seconds since 1970 as if it had followed the one before at once
  double last_ = 0;   ///< wall time of the last line
};

}  // namespace sparsepush
