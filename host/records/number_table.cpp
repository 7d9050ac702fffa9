#include "host/records/number_table.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/files/text_lines.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

double parse_number(std::string_view text, const std::string& where) {
  if (text.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::optional<double> value = number_of<double>(text);
  if (!value) throw InputError("{}: expected a number, got {}", where, in_quotes_short(text));
  return *value;
}

std::ifstream open_table(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) throw InputError("{}: expected a file", path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError("{}: cannot be read", path.string());
  return file;
}

NumberTable read_columns(std::ifstream& file) {
  NumberTable table;
  std::string text;
  std::getline(file, text);
  for (const std::string_view column : fields_of(text)) table.columns.emplace_back(column);
  return table;
}

/// Adds the row of a line; errors say `where` that is.
void add_row(NumberTable& table, std::string_view line, const std::string& where) {
  const auto fields = fields_of(line);
  if (fields.size() != table.columns.size())
    throw InputError("{}: expected {} columns, got {}", where, table.columns.size(), fields.size());
  table.rows.emplace_back();
  for (const std::string_view field : fields) table.rows.back().push_back(parse_number(field, where));
}

/// Returns the text from `begin` on, or only its end: at least `lines` complete lines, from the beginning of one on.
std::string last_lines(std::ifstream& file, std::int64_t begin, std::size_t lines) {
  constexpr std::int64_t kBlock = 8192;  // bytes: many more than a line has
  file.seekg(0, std::ios::end);
  const std::int64_t end = file.tellg();
  std::string text;
  for (std::int64_t size = kBlock;; size *= 2) {
    const std::int64_t from = std::max(begin, end - size);
    text.resize(static_cast<std::size_t>(std::max<std::int64_t>(end - from, 0)));
    file.seekg(from);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (from == begin) return text;
    if (static_cast<std::size_t>(std::ranges::count(text, '\n')) > lines) return text.substr(text.find('\n') + 1);
  }
}

}  // namespace

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

std::optional<std::size_t> NumberTable::find(std::string_view column) const {
  const auto it = std::ranges::find(columns, column);
  return it == columns.end() ? std::nullopt : std::optional<std::size_t>(it - columns.begin());
}

NumberTable read_numbers(const fs::path& path) {
  std::ifstream file = open_table(path);
  NumberTable table = read_columns(file);
  std::string text;
  for (std::size_t line = 2; std::getline(file, text); ++line)
    add_row(table, text, fmt::format("{}:{}", path.string(), line));
  return table;
}

NumberTable read_last_numbers(const fs::path& path, std::size_t lines) {
  std::ifstream file = open_table(path);
  NumberTable table = read_columns(file);
  if (file.eof()) return table;  // the header's end is missing, or the file is empty
  const std::string text = last_lines(file, file.tellg(), lines);
  std::string_view rest(text);
  rest = rest.substr(0, rest.rfind('\n') + 1);
  std::vector<std::string_view> found;
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    found.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  for (std::size_t i = found.size() - std::min(found.size(), lines); i < found.size(); ++i)
    add_row(table, found[i], path.string() + ": at its end");
  return table;
}

}  // namespace sparsepush
