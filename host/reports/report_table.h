// A table's folder as a report reads it: table.csv, claims.csv, points.csv and what is the reference.
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sparsepush {

/// A CSV file: its header, and its lines by column.
struct CsvTable {
  std::vector<std::string> header = {};
  std::vector<std::map<std::string, std::string>> lines = {};
};

struct ReportTable {
  std::filesystem::path folder = {};
  std::string shown = {};  ///< the folder, as readers see it
  CsvTable points = {}, rows = {}, claims = {};
  std::string reference = {};                                ///< a point's name; empty: none, or settings alone
  std::map<std::string, std::string> reference_values = {};  ///< of keys, as in CSV files
  bool has_reference = false;
  std::map<std::string, std::string> labels = {};          ///< of keys, "key=value" and columns
  std::map<std::string, std::size_t> line_of_folder = {};  ///< of points

  /// The line of points.csv of a folder "points/NAME"; null if the table does not show it.
  const std::map<std::string, std::string>* point(const std::string& folder) const;
  /// What readers see for it: its label, or itself.
  std::string label(const std::string& words) const;
  /// Whether others are compared with this line of points.csv.
  bool is_reference(const std::map<std::string, std::string>& point) const;
};

/// What is missing is empty. Throws InputError where the files cannot be read as a table's.
ReportTable read_report_table(const std::filesystem::path& folder);

}  // namespace sparsepush
