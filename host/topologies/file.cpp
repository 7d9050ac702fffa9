#include "host/topologies/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "data/files/input_error.h"
#include "host/topologies/edge_rows.h"
#include "host/topologies/matrix_market.h"
#include "host/topologies/metis.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMostSelfWeights = std::int64_t{1} << 27;  // rounds * nodes: 1 GiB
constexpr double kColumnTolerance = 1e-6;
constexpr double kSmallestSelfWeight = 1e-12;  // of 1 minus a sum: what is less is rounding

using Place = std::tuple<std::int64_t, int, int>;

Place place_of(const EdgeRow& row) { return {row.round, row.target, row.source}; }

EdgeTable read_edge_list(const std::string& path, int nodes) {
  EdgeRows reader(path);
  EdgeTable table{.rows = {}, .has_weights = reader.has_weights()};
  for (EdgeRow row; reader.next(nodes, row);) {
    if (std::ssize(table.rows) == kMostRows) throw InputError("{}: expected at most {} rows", path, kMostRows);
    table.rows.push_back(row);
  }
  if (table.rows.empty()) throw InputError("{}: expected at least one row after the header", path);
  return table;
}

// In the form that the file has; ordered by round, target, source.
EdgeTable read_edges(const std::string& path, int nodes) {
  EdgeTable table = is_matrix_market(path) ? read_matrix_market(path, nodes)
                    : is_metis(path)       ? read_metis(path, nodes)
                                           : read_edge_list(path, nodes);
  std::ranges::stable_sort(table.rows, {}, place_of);
  return table;
}

// Before anything is allocated per round: rounds must count up from 0 without gaps.
void check_rounds(const std::vector<EdgeRow>& rows, const std::string& path, int nodes) {
  std::int64_t expected = 0;
  for (const EdgeRow& row : rows) {
    if (row.round > expected)
      throw InputError("{}:{}: round {} has no rows, but this is a row of round {}; expected every round from 0 on",
                       path, row.line, expected, row.round);
    expected = row.round + 1;
  }
  if (expected > kMostSelfWeights / nodes)
    throw InputError("{}: {} rounds of {} nodes are too many; expected rounds * nodes <= {}", path, expected, nodes,
                     kMostSelfWeights);
}

void check_duplicates(const std::vector<EdgeRow>& rows, const std::string& path) {
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (place_of(rows[i]) == place_of(rows[i - 1]))
      throw InputError("{}:{}: duplicate edge {} -> {} in round {}; it is in line {} already", path, rows[i].line,
                       rows[i].source, rows[i].target, rows[i].round, rows[i - 1].line);
}

// A node that occurs nowhere has no path to others: most often the file is for another number of nodes.
void check_every_node_occurs(const std::vector<EdgeRow>& rows, const std::string& path, int nodes) {
  std::vector<bool> occurs(nodes, false);
  for (const EdgeRow& row : rows) occurs[row.source] = occurs[row.target] = true;
  const auto begin = std::ranges::find(occurs, false), end = std::find(begin, occurs.end(), true);
  if (begin == occurs.end()) return;
  const auto first = begin - occurs.begin(), last = end - occurs.begin() - 1;
  throw InputError("{}: {} {} in no row; run.nodes is {}", path,
                   first == last ? fmt::format("node {}", first) : fmt::format("nodes {} to {}", first, last),
                   first == last ? "occurs" : "occur", nodes);
}

bool is_edge(const EdgeRow& row, bool has_weights) {
  return row.source != row.target && (!has_weights || row.weight != 0);
}

// Adds the other way of every edge that lacks it; the rows stay in order.
void add_reverses(std::vector<EdgeRow>& rows, const std::string& path, bool has_weights) {
  const std::vector<EdgeRow> given = rows;
  for (const EdgeRow& row : given) {
    if (!is_edge(row, has_weights)) continue;
    EdgeRow reverse = row;
    std::swap(reverse.source, reverse.target);
    const auto found = std::ranges::lower_bound(given, place_of(reverse), {}, place_of);
    const bool is_there = found != given.end() && place_of(*found) == place_of(reverse);
    if (!is_there) {
      rows.push_back(reverse);
    } else if (!is_edge(*found, has_weights)) {
      rows[found - given.begin()].weight = row.weight;
    } else if (found->weight != row.weight) {
      throw InputError("{}:{}: the weights of {} -> {} and, in line {}, {} -> {} differ; topology.undirected is true",
                       path, row.line, row.source, row.target, found->line, reverse.source, reverse.target);
    }
  }
  std::ranges::sort(rows, {}, place_of);
}

// Builds one round out of its rows, which are ordered by target, then source.
class RoundBuilder {
 public:
  RoundBuilder(const std::string& path, int nodes, bool has_weights)
      : path_(path), nodes_(nodes), has_weights_(has_weights), degree_(nodes), last_line_(nodes) {}

  TopologyRound build(std::span<const EdgeRow> rows) {
    std::ranges::fill(degree_, 0);
    std::ranges::fill(last_line_, 0);
    for (const EdgeRow& row : rows)
      if (is_edge(row, has_weights_)) ++degree_[row.source];
    TopologyRound round{.edges = {}, .self_weight = std::vector<double>(nodes_, -1)};  // -1: not given
    std::vector<double> sent(nodes_, 0);
    for (const EdgeRow& row : rows) {
      const double weight = has_weights_ ? row.weight : 1.0 / (degree_[row.source] + 1);
      last_line_[row.source] = std::max(last_line_[row.source], row.line);
      if (row.source == row.target) {
        round.self_weight[row.source] = weight;
      } else if (is_edge(row, has_weights_)) {
        round.edges.push_back({row.source, row.target, weight});
        sent[row.source] += weight;
      }
    }
    for (int node = 0; node < nodes_; ++node) close_column(rows, node, sent[node], round.self_weight[node]);
    return round;
  }

 private:
  // Fills in a self weight that was not given, and checks the column's sum.
  void close_column(std::span<const EdgeRow> rows, int node, double sent, double& self) const {
    const bool given = self >= 0;
    const double sum = given ? sent + self : std::max(sent, 1.0);
    if (has_weights_ && std::abs(sum - 1) > kColumnTolerance)
      throw InputError("{}:{}: round {}: the weights of node {} (its column) sum to {:.9g}; expected 1{}", path_,
                       last_line_[node], rows.front().round, node, sum, hint(rows));
    if (!given) self = has_weights_ ? 1 - sent : 1.0 / (degree_[node] + 1);
    if (self <= (given ? 0 : kSmallestSelfWeight) || sent >= 1)
      throw InputError("{}:{}: round {}: node {} sends a sum of {:.9g} and keeps nothing; expected a self weight > 0{}",
                       path_, last_line_[node], rows.front().round, node, sent, hint(rows));
  }

  // Says so where weights seem to be numbers of nodes, or the matrix to be the transpose of what is expected.
  std::string hint(std::span<const EdgeRow> rows) const {
    if (std::ranges::any_of(rows, [](const EdgeRow& row) { return row.weight > 1; }) &&
        std::ranges::all_of(rows, [](const EdgeRow& row) { return row.weight == std::floor(row.weight); }))
      return "; if its numbers are round,source,target, the file needs that header";
    std::vector<double> received(nodes_, 0);
    for (const EdgeRow& row : rows) received[row.target] += row.weight;
    const bool sum_to_1 = std::ranges::all_of(received, [](double r) { return std::abs(r - 1) <= kColumnTolerance; });
    return sum_to_1 ? "; what each node receives sums to 1, so source and target may be exchanged" : "";
  }

  const std::string& path_;
  int nodes_;
  bool has_weights_;
  std::vector<int> degree_;              // out-edges of each node
  std::vector<std::int64_t> last_line_;  // of each node's rows in the round
};

}  // namespace

std::vector<TopologyRound> read_topology_file(const std::string& path, int nodes, bool undirected) {
  auto [rows, has_weights] = read_edges(path, nodes);
  check_rounds(rows, path, nodes);
  check_duplicates(rows, path);
  check_every_node_occurs(rows, path, nodes);
  if (undirected) add_reverses(rows, path, has_weights);
  RoundBuilder builder(path, nodes, has_weights);
  std::vector<TopologyRound> rounds;
  for (std::size_t first = 0, end = 0; first < rows.size(); first = end) {
    while (end < rows.size() && rows[end].round == rows[first].round) ++end;
    rounds.push_back(builder.build(std::span(rows).subspan(first, end - first)));
  }
  return rounds;
}

bool topology_file_has_weights(const std::string& path) {
  if (is_matrix_market(path)) return matrix_market_has_weights(path);
  return !is_metis(path) && EdgeRows(path).has_weights();
}

TopologyKind file_row() {
  return {.name = "file",
          .keys = {"file", "undirected"},
          .is_given = true,
          .period = [](const TopologyConfig& config, int nodes, std::uint64_t) {
            return read_topology_file(config.file, nodes, config.undirected);
          }};
}

}  // namespace sparsepush
