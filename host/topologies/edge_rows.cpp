#include "host/topologies/edge_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "data/files/input_error.h"
#include "data/files/quotes.h"

namespace sparsepush {
namespace {

constexpr std::size_t kLongestEdgeLine = 200;  // characters: four numbers at full length take 90

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error != std::errc::invalid_argument && end == text.data() + text.size();
}

std::vector<std::string_view> cells_of(std::string_view text) {
  std::vector<std::string_view> cells;
  for (std::size_t end = 0; end != std::string_view::npos; text.remove_prefix(std::min(end, text.size() - 1) + 1)) {
    end = text.find(',');
    cells.push_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) break;
  }
  return cells;
}

}  // namespace

EdgeRows::EdgeRows(const std::string& path) : lines_(path, '#', kLongestEdgeLine) {
  if (!next_line())
    lines_.refuse("expected rows source,target or round,source,target, with or without a weight, got nothing");
  if (!std::ranges::all_of(cells_, is_number)) {
    read_header();
    return;
  }
  if (cells_.size() == 1) {
    all_nodes_ = static_cast<int>(lines_.integer("number of nodes", cells_[0], std::numeric_limits<int>::max()));
    if (!next_line()) throw InputError("{}: expected at least one row", path);
    if (cells_.size() < 2)
      lines_.refuse(fmt::format("expected a row source,target, got {}", in_quotes_short(lines_.text())));
  }
  if (cells_.size() > 4) check_columns();
  columns_ = {kSource, kTarget, kWeight};
  if (cells_.size() == 2) columns_.pop_back();
  if (cells_.size() == 4) columns_.insert(columns_.begin(), kRound);
  is_pending_ = true;
}

bool EdgeRows::has(Column column) const { return std::ranges::find(columns_, column) != columns_.end(); }

bool EdgeRows::next_line() {
  if (!lines_.next_filled()) return false;
  if (columns_.empty()) by_commas_ = lines_.text().find(',') != std::string_view::npos;
  cells_ = by_commas_ ? cells_of(lines_.text()) : words_of(lines_.text());
  return true;
}

void EdgeRows::read_header() {
  for (const std::string_view cell : cells_) {
    const auto name = std::ranges::find(kNames, lower(cell));
    const auto column = static_cast<Column>(name - kNames.begin());
    if (name == kNames.end() || has(column)) columns_.clear();
    if (name == kNames.end() || has(column)) break;
    columns_.push_back(column);
  }
  if (!has(kSource) || !has(kTarget))
    lines_.refuse(
        fmt::format("expected a header with source and target, and perhaps round or weight, such as "
                    "round,source,target,weight; got {}",
                    in_quotes_short(lines_.text())));
}

void EdgeRows::check_columns() const {
  const std::string got = in_quotes_short(lines_.text());
  if (columns_.empty()) lines_.refuse(fmt::format("expected 2 to 4 columns, got {}", got));
  if (cells_.size() != columns_.size()) lines_.refuse(fmt::format("expected {} columns, got {}", columns_.size(), got));
}

bool EdgeRows::next(int nodes, EdgeRow& row) {
  if (all_nodes_ && *all_nodes_ != nodes)
    throw InputError("{}: is for {} nodes; run.nodes is {}", lines_.path(), *all_nodes_, nodes);
  if (!is_pending_ && !next_line()) return false;
  is_pending_ = false;
  check_columns();
  row = {.line = lines_.line()};
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::string_view cell = cells_[i];
    if (columns_[i] == kRound) row.round = lines_.integer("round", cell, std::numeric_limits<std::int64_t>::max());
    if (columns_[i] == kSource) row.source = node(kSource, cell, nodes);
    if (columns_[i] == kTarget) row.target = node(kTarget, cell, nodes);
    if (columns_[i] == kWeight) row.weight = lines_.weight(cell);
  }
  return true;
}

int EdgeRows::node(Column column, std::string_view text, int nodes) const {
  const std::string range = fmt::format("0 <= {} < run.nodes, which is {};", kNames[column], nodes);
  return static_cast<int>(lines_.integer(kNames[column], text, 0, nodes - 1, range));
}

}  // namespace sparsepush
