// Which runs and tables a report is about.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "host/reports/report_run.h"
#include "host/reports/report_table.h"

namespace sparsepush {

struct ReportSource {
  std::string title = {};
  std::vector<ReportRun> runs = {};
  std::vector<ReportTable> tables = {};
  std::vector<std::string> left_out = {};  ///< lines for readers: what cannot be read, and why
};

/// Reads everything at and below `folders`. Readers see folders as they stand below `base`, or as they were given.
ReportSource read_report_source(const std::vector<std::filesystem::path>& folders, const std::filesystem::path& base);

}  // namespace sparsepush
