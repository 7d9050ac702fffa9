#include "host/tables/row_pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/config/config_document.h"
#include "host/tables/value_words.h"

namespace sparsepush {
namespace {

std::string words_of_node(const KeyValue& setting, const Origins& origins) {
  Config config;
  Origins ignored(origins.path());
  apply_value(*setting.field, *setting.value, setting.where, config, ignored);
  return exact_words_of_value(*setting.field, config);
}

/// Returns a point's value of a key: of a file the name that the table's file has, else the value that counts, which
/// may be a default.
std::string words_of_point(const Field& field, const TablePoint& point) {
  return exact_words_of_value(field, field.is_file || field.is_folder ? point.as_written : point.config);
}

/// Lists the first of the words, each once.
std::string listed(const std::vector<std::string>& words) {
  constexpr std::size_t kMostListed = 12;
  std::vector<std::string> some;
  for (const std::string& word : words) {
    if (std::ranges::find(some, word) != some.end()) continue;
    if (some.size() == kMostListed) return fmt::format("{}, ...", fmt::join(some, ", "));
    some.push_back(word);
  }
  return fmt::format("{}", fmt::join(some, ", "));
}

}  // namespace

bool RowPattern::names(const Field& field) const {
  return std::ranges::any_of(values, [&](const auto& value) { return value.first == &field; });
}

RowPattern read_row_pattern(const toml::node& node, const Origins& origins, const std::string& where,
                            bool may_be_name) {
  RowPattern pattern{.where = where};
  if (const auto* word = node.as_string(); word && may_be_name) {
    pattern.name = word->get();
    pattern.text = in_quotes(pattern.name);
    return pattern;
  }
  const toml::table* table = node.as_table();
  if (!table)
    throw InputError("{}: expected {}{{ name = \"...\", \"section.key\" = value, ... }}, got {}", pattern.where,
                     may_be_name ? "a point's name or " : "", describe(node));
  std::vector<std::string> parts;
  if (const toml::node* name = table->get("name")) {
    if (!name->is_string()) throw InputError("{}: name: expected a string, got {}", pattern.where, describe(*name));
    pattern.name = name->as_string()->get();
    parts.push_back("name = " + in_quotes(pattern.name));
  }
  for (const KeyValue& setting : key_values(*table, origins)) {
    if (is_repetition(*setting.field))
      throw InputError("{}: {}: tells no rows apart, which are means over it", setting.where, setting.field->name());
    pattern.values.push_back({setting.field, words_of_node(setting, origins)});
    parts.push_back(fmt::format("{} = {}", setting.field->name(), pattern.values.back().second));
  }
  pattern.text = fmt::format("{{ {} }}", fmt::join(parts, ", "));
  return pattern;
}

bool matches(const RowPattern& pattern, const Row& row, const std::vector<TablePoint>& points) {
  if (!pattern.name.empty() && std::ranges::find(row.series, pattern.name) == row.series.end()) return false;
  const TablePoint& point = points[row.points.front()];
  return std::ranges::all_of(pattern.values, [&](const auto& value) {
    return !why_unused(*value.first, point.config) && words_of_point(*value.first, point) == value.second;
  });
}

std::string why_no_row(const RowPattern& pattern, const std::vector<Row>& rows, const std::vector<TablePoint>& points) {
  const RowPattern name{.name = pattern.name};
  std::vector<const TablePoint*> called;
  std::vector<std::string> names;
  for (const Row& row : rows) {
    if (matches(name, row, points)) called.push_back(&points[row.points.front()]);
    for (const std::string& series : row.series) names.push_back(in_quotes(series));
  }
  if (called.empty()) return "rows are called " + listed(names);
  for (const auto& [field, wanted] : pattern.values) {
    std::vector<std::string> values;
    for (const TablePoint* point : called)
      if (!why_unused(*field, point->config)) values.push_back(words_of_point(*field, *point));
    if (values.empty()) return field->name() + " does not count there";
    if (std::ranges::find(values, wanted) == values.end())
      return fmt::format("{} is {}", field->name(), listed(values));
  }
  return "none has all of these values";
}

bool agree(const Row& a, const Row& b, const std::vector<SweptKey>& grid, const RowPattern& pattern) {
  for (std::size_t k = 0; k < grid.size(); ++k) {
    const bool count = a.values[k] && b.values[k];
    if (count && !pattern.names(*grid[k].field) && a.values[k] != b.values[k]) return false;
  }
  return true;
}

}  // namespace sparsepush
