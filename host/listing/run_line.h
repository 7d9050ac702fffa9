// What `sparsepush list` says of one folder.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "host/listing/find_runs.h"

namespace sparsepush {

/// Texts are empty, and numbers missing, where the folder does not say.
struct RunLine {
  std::string folder = {};
  std::string status = {};  ///< finished, diverged, failed, interrupted, running, damaged, foreign, unreadable
  std::string method = {}, data = {}, partition = {}, topology = {};
  std::optional<double> keep = {};
  std::optional<std::int64_t> nodes = {}, replicas = {}, step = {};
  /// Means over the replicas' last rows of metrics.csv.
  std::optional<double> accuracy_mean = {}, accuracy_mean_model = {}, test_loss = {}, bytes_wire = {};
  std::optional<double> seconds = {};  ///< time of training, over all its parts
  std::string finished = {};           ///< when it finished or diverged, "2026-11-29 05:42:38"
  std::string version = {}, config_hash = {};
  std::filesystem::file_time_type changed = {};  ///< when anything of it was written last
};

/// Reads the line of a folder. Never throws for what the folder holds.
RunLine read_run_line(const FoundFolder& found);

}  // namespace sparsepush
