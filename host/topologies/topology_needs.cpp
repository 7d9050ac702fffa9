#include "host/topologies/topology_needs.h"

#include <cmath>
#include <vector>

#include "data/files/input_error.h"
#include "host/topologies/topologies.h"

namespace sparsepush {
namespace {

constexpr double kRowTolerance = 1e-5;  // files with six decimals pass

void check_static(const Method& method, const Topology& topology) {
  if (topology.period() == 0)
    throw InputError("algorithm.name: {} needs the same edges in every round; {} is drawn anew in each", method.name,
                     topology.name());
  if (topology.period() > 1)
    throw InputError("algorithm.name: {} needs the same edges in every round; {} has {} rounds", method.name,
                     topology.name(), topology.period());
}

void check_rows(const Method& method, const Topology& topology, std::int64_t t) {
  const TopologyRound round = topology.round(t);
  std::vector<double> row = round.self_weight;
  for (const Edge& edge : round.edges) row[edge.target] += edge.weight;
  for (std::size_t node = 0; node < row.size(); ++node)
    if (!(std::abs(row[node] - 1) <= kRowTolerance))
      throw InputError(
          "algorithm.name: {} needs doubly stochastic weights; in round {} of {} those that node {} receives with sum "
          "to "
          "{:.6g}",
          method.name, t, topology.name(), node, row[node]);
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
  throw InputError("algorithm.name: {} needs doubly stochastic weights in every round; {} is drawn anew in each",
                   method.name, topology.name());
}

}  // namespace sparsepush
