// The table of a table.md, read back.
#pragma once
#include <string>
#include <vector>

namespace sparsepush {

struct MarkdownTable {
  std::vector<std::string> head = {};               ///< [columns] texts as they were before they were escaped
  std::vector<std::vector<std::string>> rows = {};  ///< [rows][columns]
};

/// Reads the table that `text` begins with. Empty where it begins with none, or lines have other numbers of cells.
MarkdownTable first_markdown_table(const std::string& text);

}  // namespace sparsepush
