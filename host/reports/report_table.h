// A table's folder as a report reads it: table.md, claims.csv, points.csv and what is the reference.
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "host/tables/markdown_table.h"

namespace sparsepush {

/// A CSV file: its header, and its lines by column.
struct CsvTable {
  std::vector<std::string> header = {};
  std::vector<std::map<std::string, std::string>> lines = {};
};

struct ReportTable {
  std::filesystem::path folder = {};
  std::string shown = {};   ///< the folder, as readers see it
  MarkdownTable rows = {};  ///< what table.md shows
  CsvTable points = {}, claims = {};
  std::string reference = {};                                ///< a point's name; empty: none, or settings alone
  std::map<std::string, std::string> reference_values = {};  ///< values of keys, as in CSV files
  bool has_reference = false;
  std::map<std::string, std::size_t> line_of_folder = {};  ///< line in `points` of a folder

  /// Returns the line of points.csv of a folder "points/NAME"; null if the table does not show it.
  const std::map<std::string, std::string>* point(const std::string& folder) const;
  /// Returns whether others are compared with this line of points.csv.
  bool is_reference(const std::map<std::string, std::string>& point) const;
};

/// Reads a table's folder; other files than points.csv may be missing. Throws InputError where the files cannot be read
/// as a table's.
ReportTable read_report_table(const std::filesystem::path& folder);

}  // namespace sparsepush
