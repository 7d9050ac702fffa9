#include "host/topologies/topology_needs.h"

#include <cmath>
#include <vector>

#include "data/files/input_error.h"
#include "host/topologies/topologies.h"

namespace sparsepush {
namespace {

constexpr double kRowTolerance = 1e-5;  // files with six decimals pass
constexpr std::string_view kStatic = "the same edges in every round";
constexpr std::string_view kDoublyStochastic = "doubly stochastic weights";

void check_static(const Method& method, const Topology& topology) {
  if (topology.period() == 0)
    throw InputError("algorithm.name: {} needs {}; {} is drawn anew in each", method.name, kStatic, topology.name());
  if (topology.period() > 1)
    throw InputError("algorithm.name: {} needs {}; {} has {} rounds", method.name, kStatic, topology.name(),
                     topology.period());
}

void check_rows(const Method& method, const Topology& topology, std::int64_t t) {
  const TopologyRound round = topology.round(t);
  std::vector<double> row = round.self_weight;
  for (const Edge& edge : round.edges) row[edge.target] += edge.weight;
  for (std::size_t node = 0; node < row.size(); ++node)
    if (!(std::abs(row[node] - 1) <= kRowTolerance))
      throw InputError("algorithm.name: {} needs {}; in round {} of {} those that node {} receives with sum to {:.6g}",
                       method.name, kDoublyStochastic, t, topology.name(), node, row[node]);
}

}  // namespace

void check_needs(const Method& method, const Topology& topology) {
  if (method.needs.is_static) check_static(method, topology);
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
  if (method.needs.doubly_stochastic) words.push_back(kDoublyStochastic);
  return words;
}

}  // namespace sparsepush
