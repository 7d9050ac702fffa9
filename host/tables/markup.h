// table.md and table.tex.
#pragma once
#include <string>

#include "host/tables/layout.h"

namespace sparsepush {

/// Any text as Markdown shows it, on one line.
std::string markdown_text(const std::string& text);

/// Table, claims, what columns are, and what it was made with.
std::string table_markdown(const TableFile& file, const std::vector<PointState>& states, const Results& results);

/// The line behind it, with the command that made it.
std::string command_note(const std::string& command);

/// One tabular for booktabs, and nothing around it.
std::string table_latex(const TableLayout& layout);

}  // namespace sparsepush
