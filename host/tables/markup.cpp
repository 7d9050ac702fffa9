#include "host/tables/markup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "host/descriptions/text_table.h"
#include "host/tables/latex_text.h"
#include "host/tables/provenance.h"

namespace sparsepush {
namespace {

bool is_word(const std::string& text, std::size_t at) {
  return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at]));
}

/// Finds the character that has to be escaped where the text begins as a heading, list or rule would; else the text's
/// end.
std::size_t block_mark(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return text.size();
  if (std::string_view("#+-=").find(text[begin]) != std::string_view::npos) {
    const bool is_number = begin + 1 < text.size() && (is_word(text, begin + 1) || text[begin + 1] == '.');
    return is_number ? text.size() : begin;
  }
  const std::size_t end = text.find_first_not_of("0123456789", begin);
  const bool is_item = end != std::string::npos && end > begin && (text[end] == '.' || text[end] == ')') &&
                       (end + 1 == text.size() || text[end + 1] == ' ');
  return is_item ? end : text.size();
}

/// Returns the head of a group of `columns` columns.
std::string latex_group(const std::string& head, std::size_t columns) {
  return fmt::format("\\multicolumn{{{}}}{{c}}{{{}}}", columns, latex_text(head));
}

template <class Write>
std::vector<std::string> written(const std::vector<std::string>& texts, const Write& write) {
  std::vector<std::string> result;
  for (const std::string& text : texts) result.push_back(write(text));
  return result;
}

std::vector<std::string> markdown_head(const TableLayout& layout) {
  std::vector<std::string> head = layout.stub;
  for (const std::string& group : layout.groups)
    for (const std::string& column : layout.columns)
      head.push_back(group.empty() ? column : fmt::format("{} ({})", column, group));
  return written(head, markdown_text);
}

}  // namespace

std::string markdown_text(const std::string& text) {
  constexpr std::string_view kMarks = "\\`*[]<>&|~$";
  const std::size_t block = block_mark(text);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool within_word = c == '_' && i > 0 && is_word(text, i - 1) && is_word(text, i + 1);
    if (kMarks.find(c) != std::string_view::npos || (c == '_' && !within_word) || i == block) out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string table_markdown(const TableFile& file, const std::vector<PointState>& states, const Results& results) {
  const TableLayout layout = layout_of(file, results);
  TextTable table{.header = markdown_head(layout), .rows = {}};
  for (const auto& row : layout.rows) table.rows.push_back(written(row, markdown_text));
  std::string text = to_text(table, TextForm::kMarkdown);
  if (const ClaimTable claims = claim_table(file, results); !claims.rows.empty()) {
    TextTable shown{.header = claims.head, .rows = {}};
    for (const auto& row : claims.rows) shown.rows.push_back(written(row, markdown_text));
    text += fmt::format("\n{}", to_text(shown, TextForm::kMarkdown));
  }
  text += "\n";
  for (const std::string& line : notes_of(file, states, results)) text += fmt::format("- {}\n", markdown_text(line));
  return text;
}

std::string command_note(const std::string& command) {
  std::size_t longest = 0, run = 0;  // backticks in a row: a fence has one more
  for (const char c : command) longest = std::max(longest, run = c == '`' ? run + 1 : 0);
  const std::string fence(longest + 1, '`');
  const char* space = command.starts_with('`') || command.ends_with('`') ? " " : "";
  return fmt::format("- Command: {0}{1}{2}{1}{0}\n", fence, space, command);
}

std::string table_latex(const TableLayout& layout) {
  const std::size_t columns = layout.columns.size(), stub = layout.stub.size();
  const auto line = [](const std::vector<std::string>& cells) {
    return fmt::format("{} \\\\\n", fmt::join(cells, " & "));
  };
  std::string text = fmt::format("\\begin{{tabular}}{{{}{}}}\n\\toprule\n", std::string(stub, 'l'),
                                 std::string(layout.groups.size() * columns, 'r'));
  if (!layout.groups.front().empty()) {
    std::vector<std::string> heads(stub);
    std::string rules;
    for (std::size_t g = 0; g < layout.groups.size(); ++g) {
      heads.push_back(latex_group(layout.groups[g], columns));
      rules += fmt::format("\\cmidrule(lr){{{}-{}}}", stub + g * columns + 1, stub + (g + 1) * columns);
    }
    text += line(heads) + rules + "\n";
  }
  std::vector<std::string> head = written(layout.stub, latex_text);
  for (std::size_t g = 0; g < layout.groups.size(); ++g)
    for (const std::string& column : layout.columns) head.push_back(latex_text(column));
  text += line(head) + "\\midrule\n";
  for (const auto& row : layout.rows) text += line(written(row, latex_text));
  return text + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace sparsepush
