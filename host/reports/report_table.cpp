#include "host/reports/report_table.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "data/files/csv.h"
#include "data/files/input_error.h"
#include "data/files/whole_file.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

CsvTable read_csv_table(const fs::path& path) {
  const auto lines = parse_csv(text_of(path));
  CsvTable table;
  if (lines.empty()) return table;
  table.header = lines.front();
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].size() != table.header.size())
      throw InputError("{}: line {}: expected {} fields, got {}", path.string(), i + 1, table.header.size(),
                       lines[i].size());
    auto& line = table.lines.emplace_back();
    for (std::size_t c = 0; c < table.header.size(); ++c) line[table.header[c]] = lines[i][c];
  }
  return table;
}

void check_columns(const CsvTable& table, std::initializer_list<const char*> columns, const fs::path& path) {
  for (const char* column : columns)
    if (std::ranges::find(table.header, column) == table.header.end())
      throw InputError("{}: expected a column {}", path.string(), column);
}

/// Returns a value of TOML as CSV files of tables have it.
std::string csv_words(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto number = node.value_exact<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  return "";
}

/// Reads the reference. table.toml was checked when the table was made; what cannot be read now is no reference.
void read_reference(const std::string& text, ReportTable& table) {
  try {
    const toml::table document = toml::parse(text);
    const auto reference = document["table"]["reference"];
    if (const auto name = reference.value_exact<std::string>()) {
      table.reference = *name;
    } else if (const toml::table* settings = reference.as_table()) {
      for (const auto& [key, value] : *settings) {
        if (key.str() == "name")
          table.reference = value.value_or(std::string());
        else
          table.reference_values[std::string(key.str())] = csv_words(value);
      }
    }
  } catch (const toml::parse_error&) {
    return;
  }
  table.has_reference = !table.reference.empty() || !table.reference_values.empty();
}

}  // namespace

const std::map<std::string, std::string>* ReportTable::point(const std::string& name) const {
  const auto found = line_of_folder.find(name);
  return found == line_of_folder.end() ? nullptr : &points.lines[found->second];
}

bool ReportTable::is_reference(const std::map<std::string, std::string>& point) const {
  if (!has_reference) return false;
  const std::string& name = point.at("name");
  if (!reference.empty() && name != reference && !name.starts_with(reference + ", ")) return false;
  return std::ranges::all_of(reference_values, [&](const auto& setting) {
    const auto it = point.find(setting.first);
    return it == point.end() || it->second == setting.second;
  });
}

ReportTable read_report_table(const fs::path& folder) {
  ReportTable table{.folder = folder};
  table.points = read_csv_table(folder / "points.csv");
  check_columns(table.points, {"name", "status", "folder"}, folder / "points.csv");
  for (std::size_t i = 0; i < table.points.lines.size(); ++i)
    table.line_of_folder.emplace(table.points.lines[i].at("folder"), i);
  table.rows = first_markdown_table(text_of(folder / "table.md"));
  table.claims = read_csv_table(folder / "claims.csv");
  if (!table.claims.header.empty())
    check_columns(table.claims, {"claim", "row", "metric", "bound"}, folder / "claims.csv");
  read_reference(text_of(folder / "table.toml"), table);
  return table;
}

}  // namespace sparsepush
