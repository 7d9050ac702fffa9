// A run as a report reads it from its folder.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "host/config/config.h"
#include "host/tables/run_metrics.h"

namespace sparsepush {

struct ReportRun {
  std::filesystem::path folder = {};
  std::string shown = {};  ///< the folder, as readers see it
  std::string table = {};  ///< the table that it is a point of, as readers see its folder; empty: none
  std::string point = {};  ///< name of the point there
  std::pair<std::size_t, std::size_t> place = {};  ///< number of the table among all, from 1, and of the point in it
  Config config = {};
  std::string config_text = {};  ///< config.toml
  std::string status = {}, reason = {}, version = {}, device = {};
  std::int64_t sgd_steps = 0;  ///< T; as far as it has come where that is not known yet
  double seconds = 0;
  std::vector<ReplicaMetrics> metrics = {};  ///< [replicas] each with a row at least
  std::vector<std::string> left_out = {};    ///< what of its files cannot be read

  std::int64_t last_step() const;
};

/// Reads a run. Throws InputError that names the file that is missing or damaged.
ReportRun read_report_run(const std::filesystem::path& folder);

}  // namespace sparsepush
