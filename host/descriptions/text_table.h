// Tables for people: aligned text for a terminal, or Markdown.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

enum class TextForm { kPlain, kMarkdown };

/// What a user may type stands in backticks, which plain text leaves out.
struct TextTable {
  std::vector<std::string> header;             ///< [columns]
  std::vector<std::vector<std::string>> rows;  ///< [rows][columns]
};

/// Ends with a line feed. Plain columns wrap at spaces.
std::string to_text(const TextTable& table, TextForm form);

/// The words in backticks, with commas and `last` between them: `a`, `b` or `c`.
std::string listed(const std::vector<std::string_view>& words, std::string_view last = ", ");

}  // namespace sparsepush
