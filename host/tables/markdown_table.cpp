#include "host/tables/markdown_table.h"

#include <algorithm>
#include <string_view>

namespace sparsepush {
namespace {

/// Splits a line at bars that no backslash stands before, without the space on each side. Empty where it is no row.
std::vector<std::string> cells_of_line(std::string_view line) {
  if (!line.starts_with("| ") || !line.ends_with(" |")) return {};
  std::vector<std::string> cells;
  std::string cell;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      cell += line[++i];
    } else if (line[i] != '|') {
      cell += line[i];
    } else {
      if (cell.size() < 2) return {};
      cells.push_back(cell.substr(1, cell.size() - 2));
      cell.clear();
    }
  }
  return cells;
}

}  // namespace

MarkdownTable first_markdown_table(const std::string& text) {
  MarkdownTable table;
  std::string_view rest(text);
  for (std::size_t number = 0; !rest.empty() && rest.front() == '|'; ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (number == 0)
      table.head = cells_of_line(line);
    else if (number > 1)  // the line below the head has none
      table.rows.push_back(cells_of_line(line));
  }
  const auto is_row = [&](const std::vector<std::string>& row) { return row.size() == table.head.size(); };
  if (table.head.empty() || !std::ranges::all_of(table.rows, is_row)) return {};
  return table;
}

}  // namespace sparsepush
