#include "host/topologies/edge_lists.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "data/files/input_error.h"

namespace sparsepush {

EdgeList both_ways(const EdgeList& edges) {
  EdgeList all = edges;
  for (const auto& [source, target] : edges) all.emplace_back(target, source);
  return all;
}

TopologyRound uniform_round(int nodes, EdgeList edges) {
  const auto by_target = [](const std::pair<int, int>& edge) { return std::tuple(edge.second, edge.first); };
  std::ranges::sort(edges, {}, by_target);
  const auto repeated = std::ranges::unique(edges);
  edges.erase(repeated.begin(), repeated.end());
  std::vector<int> degree(nodes, 0);
  for (const auto& edge : edges) ++degree[edge.first];
  TopologyRound round{.edges = {}, .self_weight = {}};
  for (const auto& [source, target] : edges) round.edges.push_back({source, target, 1.0 / (degree[source] + 1)});
  for (const int out : degree) round.self_weight.push_back(1.0 / (out + 1));
  return round;
}

void set_metropolis_weights(TopologyRound& round, const std::string& topology, std::int64_t t) {
  std::vector<int> degree(round.self_weight.size(), 0);
  const auto by_target = [](const Edge& edge) { return std::tuple(edge.target, edge.source); };
  for (const Edge& edge : round.edges) {
    ++degree[edge.source];
    if (!std::ranges::binary_search(round.edges, std::tuple(edge.source, edge.target), {}, by_target))
      throw InputError(
          "topology.weights: \"metropolis\" is for edges that lead both ways; in round {} of {} there is {} -> {} "
          "without {} -> {}",
          t, topology, edge.source, edge.target, edge.target, edge.source);
  }
  std::ranges::fill(round.self_weight, 1.0);
  for (Edge& edge : round.edges) {
    edge.weight = 1.0 / (1 + std::max(degree[edge.source], degree[edge.target]));
    round.self_weight[edge.source] -= edge.weight;
  }
}

int first_unreached(int nodes, const EdgeList& edges, bool against) {
  const auto from = [&](const auto& edge) { return against ? edge.second : edge.first; };
  std::vector<std::int64_t> begin(static_cast<std::size_t>(nodes) + 1, 0);
  for (const auto& edge : edges) ++begin[from(edge) + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<std::int64_t> place(begin.begin(), begin.end() - 1);
  std::vector<int> ends(edges.size());
  for (const auto& edge : edges) ends[place[from(edge)]++] = against ? edge.first : edge.second;

  std::vector<bool> reached(nodes, false);
  std::vector<int> open = {0};
  reached[0] = true;
  while (!open.empty()) {
    const int node = open.back();
    open.pop_back();
    for (std::int64_t e = begin[node]; e < begin[node + 1]; ++e) {
      if (!reached[ends[e]]) open.push_back(ends[e]);
      reached[ends[e]] = true;
    }
  }
  for (int node = 0; node < nodes; ++node)
    if (!reached[node]) return node;
  return -1;
}

}  // namespace sparsepush
