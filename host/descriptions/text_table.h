// Tables for people: aligned text for a terminal, or Markdown.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

enum class TextForm { kPlain, kMarkdown };

/// A table of texts. What a user may type stands in backticks, which plain text leaves out.
struct TextTable {
  std::vector<std::string> header;             ///< [columns]
  std::vector<std::vector<std::string>> rows;  ///< [rows][columns]
};

/// Returns the table as text, which ends with a line feed. Cells of plain text wrap at spaces.
std::string to_text(const TextTable& table, TextForm form);

/// Joins the words, each in backticks, with commas, but with `last` before the last one: `a`, `b` or `c`.
std::string listed(const std::vector<std::string_view>& words, std::string_view last = ", ");

}  // namespace sparsepush
