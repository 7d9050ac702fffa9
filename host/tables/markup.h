// table.md and table.tex.
#pragma once
#include <string>

#include "host/tables/layout.h"

namespace sparsepush {

/// Returns any text as Markdown shows it, on one line.
std::string markdown_text(const std::string& text);

/// Returns the text of table.md but for its last line: table, claims, what columns are, and what it was made with.
std::string table_markdown(const TableFile& file, const std::vector<PointState>& states, const Results& results);

/// Returns the last line of table.md, with the command that made it.
std::string command_note(const std::string& command);

/// Returns one tabular for booktabs, and nothing around it.
std::string table_latex(const TableLayout& layout);

}  // namespace sparsepush
