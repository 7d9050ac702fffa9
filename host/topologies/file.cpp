#include "host/topologies/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>

#include "data/files/input_error.h"
#include "host/config/spelling.h"

namespace sparsepush {
namespace {

constexpr std::size_t kLongestLine = 200;                         // characters: four numbers at full length take 90
constexpr std::int64_t kMostRows = std::int64_t{1} << 27;         // as many as a topology may have edges
constexpr std::int64_t kMostSelfWeights = std::int64_t{1} << 27;  // rounds * nodes: 1 GiB
constexpr double kColumnTolerance = 1e-6;
constexpr double kSmallestSelfWeight = 1e-12;  // of 1 minus a sum: what is less is rounding

// One line of the file.
struct Row {
  std::int64_t round = 0;
  int source = 0, target = 0;
  double weight = 0;
  std::int64_t line = 0;
};

class TopologyReader {
 public:
  explicit TopologyReader(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    if (!file_) throw InputError("{}: cannot be opened: {}", path, std::strerror(errno));
    next_line();
    has_weights_ = text_ == "round,source,target,weight";
    if (!has_weights_ && text_ != "round,source,target")
      refuse(fmt::format("expected the header round,source,target or round,source,target,weight, got {}",
                         in_quotes_short(text_)));
  }

  bool has_weights() const { return has_weights_; }

  // The next row, if any.
  bool next(int nodes, Row& row) {
    if (!next_line()) return false;
    std::array<std::string_view, 4> column;
    split(column);
    row.line = line_;
    row.round = integer("round", column[0], std::numeric_limits<std::int64_t>::max());
    row.source = static_cast<int>(integer("source", column[1], nodes - 1));
    row.target = static_cast<int>(integer("target", column[2], nodes - 1));
    row.weight = has_weights_ ? weight(column[3]) : 0;
    return true;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { throw InputError("{}:{}: {}", path_, line_, what); }

  bool next_line() {
    std::array<char, kLongestLine + 2> buffer;
    ++line_;
    file_.getline(buffer.data(), buffer.size());
    if (file_.bad()) throw InputError("{}: cannot be read: {}", path_, std::strerror(errno));
    text_.assign(buffer.data(), static_cast<std::size_t>(file_.gcount()) - (file_.good() ? 1 : 0));
    if (text_.empty() && file_.eof()) return false;
    if (file_.fail()) refuse(fmt::format("expected a line of at most {} characters", kLongestLine));
    if (text_.ends_with('\r')) text_.pop_back();
    return true;
  }

  void split(std::array<std::string_view, 4>& column) const {
    const auto wanted = static_cast<std::ptrdiff_t>(has_weights_ ? 4 : 3);
    const auto found = std::ranges::count(text_, ',') + 1;
    if (found != wanted) refuse(fmt::format("expected {} columns, got {}", wanted, in_quotes_short(text_)));
    std::string_view rest = text_;
    for (std::ptrdiff_t i = 0; i < wanted; ++i) {
      column[i] = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), column[i].size() + 1));
    }
  }

  std::int64_t integer(std::string_view name, std::string_view text, std::int64_t last) const {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::invalid_argument || end != text.data() + text.size())
      refuse(fmt::format("{}: expected an integer, got {}", name, in_quotes_short(text)));
    if (error != std::errc{} || value < 0 || value > last)
      refuse(fmt::format("{}: expected 0 <= {} <= {}, got {}", name, name, last, text));
    return value;
  }

  double weight(std::string_view text) const {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
      refuse(fmt::format("weight: expected a number, got {}", in_quotes_short(text)));
    if (!(value > 0) || !std::isfinite(value)) refuse(fmt::format("weight: expected 0 < weight <= 1, got {}", text));
    return value;
  }

  std::string path_;
  std::ifstream file_;
  std::string text_;
  std::int64_t line_ = 0;
  bool has_weights_ = false;
};

std::vector<Row> read_rows(TopologyReader& reader, const std::string& path, int nodes) {
  std::vector<Row> rows;
  for (Row row; reader.next(nodes, row);) {
    if (static_cast<std::int64_t>(rows.size()) == kMostRows)
      throw InputError("{}: expected at most {} rows", path, kMostRows);
    rows.push_back(row);
  }
  if (rows.empty()) throw InputError("{}: expected at least one row after the header", path);
  std::ranges::stable_sort(rows, {}, [](const Row& row) { return std::tuple(row.round, row.target, row.source); });
  return rows;
}

// Before anything is allocated per round: rounds must count up from 0 without gaps.
void check_rounds(const std::vector<Row>& rows, const std::string& path, int nodes) {
  std::int64_t expected = 0;
  for (const Row& row : rows) {
    if (row.round > expected)
      throw InputError("{}:{}: round {} has no rows, but this is a row of round {}; expected every round from 0 on",
                       path, row.line, expected, row.round);
    expected = row.round + 1;
  }
  if (expected > kMostSelfWeights / nodes)
    throw InputError("{}: {} rounds of {} nodes are too many; expected rounds * nodes <= {}", path, expected, nodes,
                     kMostSelfWeights);
}

// Builds one round out of its rows, which are ordered by target, then source.
class RoundBuilder {
 public:
  RoundBuilder(const std::string& path, int nodes, bool has_weights)
      : path_(path), nodes_(nodes), has_weights_(has_weights), degree_(nodes), last_line_(nodes) {}

  TopologyRound build(std::span<const Row> rows) {
    check_duplicates(rows);
    std::ranges::fill(degree_, 0);
    std::ranges::fill(last_line_, 0);
    for (const Row& row : rows)
      if (row.source != row.target) ++degree_[row.source];
    TopologyRound round{.edges = {}, .self_weight = std::vector<double>(nodes_, -1)};  // -1: not given
    std::vector<double> sent(nodes_, 0);
    for (const Row& row : rows) {
      const double weight = has_weights_ ? row.weight : 1.0 / (degree_[row.source] + 1);
      last_line_[row.source] = std::max(last_line_[row.source], row.line);
      if (row.source == row.target) {
        round.self_weight[row.source] = weight;
      } else {
        round.edges.push_back({row.source, row.target, weight});
        sent[row.source] += weight;
      }
    }
    for (int node = 0; node < nodes_; ++node)
      close_column(rows.front().round, node, sent[node], round.self_weight[node]);
    return round;
  }

 private:
  void check_duplicates(std::span<const Row> rows) const {
    for (std::size_t i = 1; i < rows.size(); ++i)
      if (rows[i].source == rows[i - 1].source && rows[i].target == rows[i - 1].target)
        throw InputError("{}:{}: duplicate edge {} -> {} in round {}; it is in line {} already", path_, rows[i].line,
                         rows[i].source, rows[i].target, rows[i].round, rows[i - 1].line);
  }

  // Fills in a self weight that was not given, and checks the column's sum.
  void close_column(std::int64_t round, int node, double sent, double& self) const {
    const bool given = self >= 0;
    if (!given) self = has_weights_ ? 1 - sent : 1.0 / (degree_[node] + 1);
    if (self <= (given ? 0 : kSmallestSelfWeight) || sent >= 1)
      throw InputError("{}:{}: round {}: node {} sends a sum of {:.9g} and keeps nothing; expected a self weight > 0",
                       path_, last_line_[node], round, node, sent);
    if (has_weights_ && std::abs(sent + self - 1) > kColumnTolerance)
      throw InputError("{}:{}: round {}: the weights of node {} (its column) sum to {:.9g}; expected 1", path_,
                       last_line_[node], round, node, sent + self);
  }

  const std::string& path_;
  int nodes_;
  bool has_weights_;
  std::vector<int> degree_;              // out-edges of each node
  std::vector<std::int64_t> last_line_;  // of each node's rows in the round
};

}  // namespace

std::vector<TopologyRound> read_topology_file(const std::string& path, int nodes) {
  TopologyReader reader(path);
  const std::vector<Row> rows = read_rows(reader, path, nodes);
  check_rounds(rows, path, nodes);
  RoundBuilder builder(path, nodes, reader.has_weights());
  std::vector<TopologyRound> rounds;
  for (std::size_t first = 0, end = 0; first < rows.size(); first = end) {
    while (end < rows.size() && rows[end].round == rows[first].round) ++end;
    rounds.push_back(builder.build(std::span(rows).subspan(first, end - first)));
  }
  return rounds;
}

bool topology_file_has_weights(const std::string& path) { return TopologyReader(path).has_weights(); }

TopologyKind file_row() {
  return {.name = "file",
          .keys = {"file"},
          .is_given = true,
          .period = [](const TopologyConfig& config, int nodes, std::uint64_t) {
            return read_topology_file(config.file, nodes);
          }};
}

}  // namespace sparsepush
