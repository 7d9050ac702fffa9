// A report: one HTML page of runs, tables and folders of these.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace sparsepush {

struct ReportFiles {
  std::vector<std::filesystem::path> folders = {};
  std::filesystem::path out = {};      ///< the page; empty: report.html in the first folder
  std::filesystem::path figures = {};  ///< folder for a file a chart; empty: none
};

struct ReportEnd {
  std::filesystem::path out = {};
  std::size_t runs = 0, rows = 0;
  std::vector<std::string> left_out = {};  ///< lines for the user: what cannot be read, and why
};

/// Reads the runs at and below the folders and writes the page, and files of its charts. Files whose content is the
/// same already are left as they are. Throws InputError where nothing is left to show.
ReportEnd write_report(const ReportFiles& files);

/// Writes report.html and figures/*.svg in a table's folder, and removes figures of before that are not drawn any more.
/// Writes nothing where no point has anything to show yet.
void write_table_report(const std::filesystem::path& table);

}  // namespace sparsepush
