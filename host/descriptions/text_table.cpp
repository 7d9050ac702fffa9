#include "host/descriptions/text_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsepush {
namespace {

constexpr std::size_t kWidestColumn = 28;  // characters: five columns fill a wide terminal

using Cells = std::vector<std::string>;

std::string without_backticks(std::string text) {
  std::erase(text, '`');
  return text;
}

/// Wraps a plain cell to lines; a word that is longer than the column has a line of its own.
Cells wrapped(const std::string& cell) {
  Cells lines;
  std::string rest = without_backticks(cell);
  while (rest.size() > kWidestColumn) {
    std::size_t space = rest.rfind(' ', kWidestColumn);
    if (space == std::string::npos) space = rest.find(' ');
    if (space == std::string::npos) break;
    lines.push_back(rest.substr(0, space));
    rest.erase(0, space + 1);
  }
  lines.push_back(rest);
  return lines;
}

std::string without_spaces_at_end(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string plain(const TextTable& table) {
  std::vector<std::vector<Cells>> rows;  // [header and rows][columns][lines]
  std::vector<std::size_t> width(table.header.size(), 0);
  const auto add = [&](const Cells& row) {
    rows.emplace_back();
    for (std::size_t c = 0; c < row.size(); ++c) {
      rows.back().push_back(wrapped(row[c]));
      for (const std::string& line : rows.back().back()) width[c] = std::max(width[c], line.size());
    }
  };
  add(table.header);
  std::ranges::for_each(table.rows, add);
  std::string text;
  for (const std::vector<Cells>& row : rows) {
    const std::size_t lines = std::ranges::max(row, {}, &Cells::size).size();
    for (std::size_t i = 0; i < lines; ++i) {
      std::string line;
      for (std::size_t c = 0; c < row.size(); ++c)
        line += fmt::format("{:<{}}", i < row[c].size() ? row[c][i] : "", width[c] + 2);
      text += without_spaces_at_end(line) + "\n";
    }
    if (&row != &rows.front()) continue;
    for (const std::size_t w : width) text += std::string(w, '-') + "  ";
    text = without_spaces_at_end(text) + "\n";
  }
  return text;
}

std::string markdown(const TextTable& table) {
  const auto line = [](const Cells& row) { return fmt::format("| {} |\n", fmt::join(row, " | ")); };
  std::string text = line(table.header);
  for (std::size_t c = 0; c < table.header.size(); ++c) text += "|---";
  text += "|\n";
  for (const Cells& row : table.rows) text += line(row);
  return text;
}

}  // namespace

std::string to_text(const TextTable& table, TextForm form) {
  return form == TextForm::kMarkdown ? markdown(table) : plain(table);
}

std::string listed(const std::vector<std::string_view>& words, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += fmt::format("{}`{}`", i == 0 ? "" : i + 1 == words.size() ? last : ", ", words[i]);
  return text;
}

}  // namespace sparsepush
