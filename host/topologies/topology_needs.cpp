#include "host/topologies/topology_needs.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "data/files/input_error.h"
#include "host/topologies/topologies.h"

namespace sparsepush {
namespace {

constexpr double kRowTolerance = 1e-5;  // files with six decimals pass
constexpr std::string_view kStatic = "the same edges in every round";
constexpr std::string_view kSymmetric = "weights that are the same both ways";
constexpr std::string_view kDoublyStochastic = "doubly stochastic weights";

void check_static(const Method& method, const Topology& topology) {
  if (topology.period() == 0)
    throw InputError("algorithm.name: {} needs {}; {} is drawn anew in each", method.name, kStatic, topology.name());
  if (topology.period() > 1)
    throw InputError("algorithm.name: {} needs {}; {} has {} rounds", method.name, kStatic, topology.name(),
                     topology.period());
}

/// Edges are ordered by target, then by source.
void check_symmetric(const Method& method, const Topology& topology, std::int64_t t) {
  const TopologyRound round = topology.round(t);
  for (const Edge& edge : round.edges) {
    const auto before = [](const Edge& a, const std::pair<int, int>& b) { return std::pair(a.target, a.source) < b; };
    const auto reverse =
        std::lower_bound(round.edges.begin(), round.edges.end(), std::pair(edge.source, edge.target), before);
    const bool found = reverse != round.edges.end() && reverse->target == edge.source && reverse->source == edge.target;
    if (const double heard = found ? reverse->weight : 0; heard != edge.weight)
      throw InputError(
          "algorithm.name: {} needs {}; in round {} of {} node {} hears node {} with {:.6g}, but node {} hears node {} "
          "with {:.6g}",
          method.name, kSymmetric, t, topology.name(), edge.target, edge.source, edge.weight, edge.source, edge.target,
          heard);
  }
}

void check_self_weights(const Method& method, const Topology& topology, double eta, std::int64_t t) {
  const std::vector<double> self = topology.round(t).self_weight;
  for (std::size_t node = 0; node < self.size(); ++node)
    if (const double kept = 1 - eta * (1 - self[node]); !(kept > method.needs.self_weight))
      throw InputError(
          "algorithm.averaging_rate: {} needs nodes that keep more than {:.6g} of their own; with {} node {} of {} "
          "keeps "
          "{:.6g}; with at most {} every node of any topology does",
          method.name, method.needs.self_weight, eta, node, topology.name(), kept,
          std::floor(10 * (1 - method.needs.self_weight)) / 10);
}

void check_rows(const Method& method, const Topology& topology, std::int64_t t) {
  const TopologyRound round = topology.round(t);
  std::vector<double> row = round.self_weight;
  for (const Edge& edge : round.edges) row[edge.target] += edge.weight;
  for (std::size_t node = 0; node < row.size(); ++node)
    if (!(std::abs(row[node] - 1) <= kRowTolerance))
      throw InputError(
          "algorithm.name: {} needs {}; in round {} of {} the weights of what node {} receives sum to {:.6g}",
          method.name, kDoublyStochastic, t, topology.name(), node, row[node]);
}

}  // namespace

void check_needs(const Method& method, const Topology& topology, double eta) {
  if (method.needs.is_static) check_static(method, topology);
  for (std::int64_t t = 0; t < topology.period(); ++t) {
    if (method.needs.symmetric) check_symmetric(method, topology, t);
    if (method.needs.self_weight > 0) check_self_weights(method, topology, eta, t);
  }
  if (!method.needs.doubly_stochastic) return;
  for (std::int64_t t = 0; t < topology.period(); ++t) check_rows(method, topology, t);
  if (topology.period() > 0) return;
  const TopologyKind& kind = topology_kind(topology.config());
  if (kind.redrawn_doubly_stochastic && kind.redrawn_doubly_stochastic(topology.config())) return;
  check_rows(method, topology, 0);
  throw InputError("algorithm.name: {} needs {} in every round; {} is drawn anew in each", method.name,
                   kDoublyStochastic, topology.name());
}

std::vector<std::string_view> needs_in_words(const Method& method) {
  std::vector<std::string_view> words;
  if (method.needs.is_static) words.push_back(kStatic);
  if (method.needs.symmetric) words.push_back(kSymmetric);
  if (method.needs.doubly_stochastic) words.push_back(kDoublyStochastic);
  return words;
}

}  // namespace sparsepush
