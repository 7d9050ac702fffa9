#include "host/topologies/edge_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "data/files/input_error.h"
#include "host/config/spelling.h"

namespace sparsepush {
namespace {

constexpr std::size_t kLongestLine = 200;  // characters: four numbers at full length take 90
constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text) {
  std::string word(text);
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return word;
}

bool is_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error != std::errc::invalid_argument && end == text.data() + text.size();
}

}  // namespace

EdgeRows::EdgeRows(const std::string& path) : path_(path), file_(path, std::ios::binary) {
  if (!file_) throw InputError("{}: cannot be opened: {}", path, std::strerror(errno));
  if (!next_line()) {
    text_.clear();
    refuse("expected rows source,target or round,source,target, with or without a weight, got nothing");
  }
  if (!std::ranges::all_of(cells_, is_number)) {
    read_header();
    return;
  }
  if (cells_.size() == 1) {
    all_nodes_ = static_cast<int>(integer("number of nodes", cells_[0], std::numeric_limits<int>::max()));
    if (!next_line()) throw InputError("{}: expected at least one row", path_);
    if (cells_.size() < 2) refuse(fmt::format("expected a row source,target, got {}", in_quotes_short(text_)));
  }
  if (cells_.size() > 4) check_columns();
  columns_ = {kSource, kTarget, kWeight};
  if (cells_.size() == 2) columns_.pop_back();
  if (cells_.size() == 4) columns_.insert(columns_.begin(), kRound);
  is_pending_ = true;
}

void EdgeRows::refuse(const std::string& what) const { throw InputError("{}:{}: {}", path_, line_, what); }

bool EdgeRows::has(Column column) const { return std::ranges::find(columns_, column) != columns_.end(); }

bool EdgeRows::read_line() {
  std::array<char, kLongestLine + 2> buffer;
  ++line_;
  file_.getline(buffer.data(), buffer.size());
  if (file_.bad()) throw InputError("{}: cannot be read: {}", path_, std::strerror(errno));
  text_.assign(buffer.data(), static_cast<std::size_t>(file_.gcount()) - (file_.good() ? 1 : 0));
  if (text_.empty() && file_.eof()) return false;
  if (file_.fail()) {
    const bool is_comment = trimmed(text_).starts_with('#');
    if (!is_comment) refuse(fmt::format("expected a line of at most {} characters", kLongestLine));
    file_.clear();
    file_.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  if (text_.ends_with('\r')) text_.pop_back();
  if (line_ == 1 && text_.starts_with("\xEF\xBB\xBF")) text_.erase(0, 3);  // the mark of UTF-8
  text_.resize(std::min(text_.size(), text_.find('#')));
  return true;
}

bool EdgeRows::next_line() {
  do
    if (!read_line()) return false;
  while (trimmed(text_).empty());
  if (columns_.empty()) by_commas_ = text_.find(',') != std::string::npos;
  split();
  return true;
}

void EdgeRows::split() {
  cells_.clear();
  std::string_view rest = trimmed(text_);
  while (true) {
    const std::size_t end = rest.find_first_of(by_commas_ ? std::string_view(",") : kBlanks);
    cells_.push_back(trimmed(rest.substr(0, end)));
    if (end == std::string_view::npos) return;
    rest.remove_prefix(end + 1);
    if (!by_commas_) rest = trimmed(rest);
  }
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
    refuse(
        fmt::format("expected a header with source and target, and perhaps round or weight, such as "
                    "round,source,target,weight; got {}",
                    in_quotes_short(text_)));
}

void EdgeRows::check_columns() const {
  if (cells_.size() != columns_.size() || columns_.empty())
    refuse(columns_.empty() ? fmt::format("expected 2 to 4 columns, got {}", in_quotes_short(text_))
                            : fmt::format("expected {} columns, got {}", columns_.size(), in_quotes_short(text_)));
}

bool EdgeRows::next(int nodes, EdgeRow& row) {
  if (all_nodes_ && *all_nodes_ != nodes)
    throw InputError("{}: is for {} nodes; run.nodes is {}", path_, *all_nodes_, nodes);
  if (!is_pending_ && !next_line()) return false;
  is_pending_ = false;
  check_columns();
  row = {.line = line_};
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::string_view cell = cells_[i];
    if (columns_[i] == kRound) row.round = integer("round", cell, std::numeric_limits<std::int64_t>::max());
    if (columns_[i] == kSource) row.source = node(kSource, cell, nodes);
    if (columns_[i] == kTarget) row.target = node(kTarget, cell, nodes);
    if (columns_[i] == kWeight) row.weight = weight(cell);
  }
  return true;
}

std::int64_t EdgeRows::integer(std::string_view name, std::string_view text, std::int64_t last) const {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    refuse(fmt::format("{}: expected an integer, got {}", name, in_quotes_short(text)));
  if (error != std::errc{} || value < 0 || value > last)
    refuse(fmt::format("{}: expected 0 <= {} <= {}, got {}", name, name, last, text));
  return value;
}

int EdgeRows::node(Column column, std::string_view text, int nodes) const {
  const std::string_view name = kNames[column];
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    refuse(fmt::format("{}: expected an integer, got {}", name, in_quotes_short(text)));
  if (error != std::errc{} || value < 0 || value >= nodes)
    refuse(fmt::format("{}: expected 0 <= {} < run.nodes, which is {}; got {}", name, name, nodes, text));
  return static_cast<int>(value);
}

double EdgeRows::weight(std::string_view text) const {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    refuse(fmt::format("weight: expected a number, got {}", in_quotes_short(text)));
  if (!(value >= 0) || !std::isfinite(value)) refuse(fmt::format("weight: expected 0 <= weight <= 1, got {}", text));
  return value;
}

}  // namespace sparsepush
