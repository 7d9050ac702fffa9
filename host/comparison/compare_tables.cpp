#include "host/comparison/compare_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "data/files/csv.h"
#include "data/files/input_error.h"
#include "data/files/same_content.h"
#include "data/files/text_lines.h"
#include "data/files/whole_file.h"
#include "host/listing/aligned.h"
#include "host/tables/table_folder.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

using Fields = std::vector<std::string>;

/// table.csv: name, keys, status, n, columns.
struct TableLines {
  Fields header = {};
  std::vector<Fields> rows = {};  ///< [rows][header]
  std::size_t keys = 0;           ///< how many of the columns are keys

  std::optional<std::size_t> find(const std::string& column) const {
    const auto it = std::ranges::find(header, column);
    return it == header.end() ? std::nullopt : std::optional<std::size_t>(it - header.begin());
  }
};

/// Reads table.csv; a table that has never come to its end has no rows.
TableLines read_lines(const fs::path& folder) {
  const std::string path = folder / "table.csv";
  if (!fs::exists(path)) return {.header = {"name", "status", "n"}};
  TableLines lines{.rows = parse_csv(read_text(path))};
  if (!lines.rows.empty()) {
    lines.header = lines.rows.front();
    lines.rows.erase(lines.rows.begin());
  }
  const auto status = lines.find("status");
  if (!status || *status == 0 || lines.header.front() != "name" || !lines.find("n"))
    throw InputError("{}:1: expected the columns name,<keys>,status,n", path);
  for (const Fields& row : lines.rows)
    if (row.size() != lines.header.size())
      throw InputError("{}: expected {} columns in each line, got {}", path, lines.header.size(), row.size());
  lines.keys = *status - 1;
  return lines;
}

/// Returns what a row is called without values of keys: the point's name, or the method.
std::string series_of(const TableLines& table, const Fields& row) {
  std::size_t end = row.front().size();
  for (std::size_t k = 1; k <= table.keys; ++k) {
    const std::string& key = table.header[k];
    for (const std::string& name : {key, key.substr(key.find('.') + 1)})
      end = std::min(end, row.front().find(", " + name + "="));
  }
  return row.front().substr(0, end);
}

/// Returns the row's series, and its values of the keys that both tables sweep.
Fields identity_of(const TableLines& table, const Fields& row, const Fields& common_keys) {
  Fields identity = {series_of(table, row)};
  for (const std::string& key : common_keys) identity.push_back(row[*table.find(key)]);
  return identity;
}

Fields common(const TableLines& a, const TableLines& b, std::size_t begin, std::size_t end) {
  Fields names;
  for (std::size_t c = begin; c < end; ++c)
    if (b.find(a.header[c])) names.push_back(a.header[c]);
  return names;
}

/// Adds a line that compares two cells; status and number of replicas only where they differ.
void add_cells(std::vector<Fields>& lines, const std::string& row, const std::string& column, const std::string& a,
               const std::string& b) {
  if ((column == "status" || column == "n") && a == b) return;
  const auto of_a = number_of<double>(a), of_b = number_of<double>(b);
  lines.push_back(
      {row, on_one_line(column), on_one_line(a), on_one_line(b), of_a && of_b ? number_word(*of_b - *of_a) : ""});
}

std::string name_of_both(const Fields& a, const Fields& b) {
  return on_one_line(a.front() == b.front() ? a.front() : a.front() + " | " + b.front());
}

/// Sorts the rows of the table by their identity.
std::multimap<Fields, const Fields*> by_identity(const TableLines& table, const Fields& common_keys) {
  std::multimap<Fields, const Fields*> rows;
  for (const Fields& row : table.rows) rows.emplace(identity_of(table, row, common_keys), &row);
  return rows;
}

/// Lists the rows that have no partner, as a line.
std::string without_partner(const char* what, const TableLines& table,
                            const std::multimap<Fields, const Fields*>& others, const Fields& common_keys) {
  Fields names;
  for (const Fields& row : table.rows)
    if (!others.contains(identity_of(table, row, common_keys))) names.push_back(on_one_line(row.front()));
  return names.empty() ? "" : fmt::format("{}: {}\n", what, fmt::join(names, "; "));
}

/// Reads the points with their ids, which tell them apart in every key that counts.
std::set<std::pair<std::string, std::string>> points_of(const fs::path& folder) {
  std::set<std::pair<std::string, std::string>> points;
  for (const Fields& line : parse_csv(read_text(folder / kPointsFile)))
    if (line.size() > 1) points.emplace(line[0], line[1]);
  return points;
}

}  // namespace

std::string compare_tables(const fs::path& a, const fs::path& b) {
  const TableLines of_a = read_lines(a), of_b = read_lines(b);
  const Fields keys = common(of_a, of_b, 1, 1 + of_a.keys);
  const Fields columns = common(of_a, of_b, 1 + of_a.keys, of_a.header.size());
  const auto rows_a = by_identity(of_a, keys), rows_b = by_identity(of_b, keys);
  std::vector<Fields> lines = {{"row", "column", "A", "B", "B - A"}};
  for (const Fields& row : of_a.rows) {
    const auto [begin, end] = rows_b.equal_range(identity_of(of_a, row, keys));
    for (auto other = begin; other != end; ++other)
      for (const std::string& column : columns)
        add_cells(lines, name_of_both(row, *other->second), column, row[*of_a.find(column)],
                  (*other->second)[*of_b.find(column)]);
  }
  std::string text;
  if (points_of(a) == points_of(b)) text += "same configuration\n";
  if (have_same_content(a / "table.csv", b / "table.csv")) text += "same metrics\n";
  text += without_partner("rows of A only", of_a, rows_b, keys) + without_partner("rows of B only", of_b, rows_a, keys);
  return text + (text.empty() ? "" : "\n") + aligned(lines);
}

}  // namespace sparsepush
