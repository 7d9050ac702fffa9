// Lines of printed tables.
#pragma once
#include <sstream>
#include <string>

namespace sparsepush {

/// The first line of a Markdown table that begins with `word` in backticks; empty if there is none.
inline std::string table_line(const std::string& text, const std::string& word) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("| `" + word + "` |")) return line;
  return "";
}

}  // namespace sparsepush
