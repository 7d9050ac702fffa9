#include "host/topology_generated.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "kernels/check.h"
#include "kernels/random.h"

namespace sparsepush {
namespace {

// Targets of every node's out-edges, `degree` each, without order.
using Targets = std::vector<int>;

// next[j] follows j on a random cycle through all nodes.
std::vector<int> random_cycle(int nodes, Draw draw) {
  std::vector<int> order(nodes), next(nodes);
  std::iota(order.begin(), order.end(), 0);
  for (int i = nodes - 1; i > 0; --i) {
    draw.node = static_cast<std::uint64_t>(i);
    std::swap(order[i], order[random_below(draw, static_cast<std::uint64_t>(i) + 1)]);
  }
  for (int i = 0; i < nodes; ++i) next[order[i]] = order[i + 1 < nodes ? i + 1 : 0];
  return next;
}

// Orders the edges by target, then source, by counting.
TopologyRound round_of(int nodes, int degree, const Targets& targets) {
  std::vector<std::int64_t> place(static_cast<std::size_t>(nodes) + 1, 0);
  for (const int target : targets) ++place[target + 1];
  std::partial_sum(place.begin(), place.end(), place.begin());
  const double weight = 1.0 / (degree + 1);
  TopologyRound round{.edges = std::vector<Edge>(targets.size()), .self_weight = std::vector<double>(nodes, weight)};
  std::size_t edge = 0;
  for (int source = 0; source < nodes; ++source)
    for (int i = 0; i < degree; ++i, ++edge) round.edges[place[targets[edge]]++] = {source, targets[edge], weight};
  return round;
}

}  // namespace

TopologyRound circulant_round(int nodes, const std::vector<int>& offsets) {
  const double weight = 1.0 / (static_cast<double>(offsets.size()) + 1);
  TopologyRound round{.edges = {}, .self_weight = std::vector<double>(nodes, weight)};
  round.edges.reserve(offsets.size() * static_cast<std::size_t>(nodes));
  for (int target = 0; target < nodes; ++target) {
    const auto wrap = std::upper_bound(offsets.begin(), offsets.end(), target);  // larger ones come around from the end
    const auto push = [&](int offset) { round.edges.push_back({(target - offset + nodes) % nodes, target, weight}); };
    std::for_each(std::reverse_iterator(wrap), offsets.rend(), push);
    std::for_each(offsets.rbegin(), std::reverse_iterator(wrap), push);
  }
  return round;
}

std::vector<int> exponential_offsets(int nodes) {
  std::vector<int> offsets;
  for (std::int64_t offset = 1; offset < nodes; offset *= 2) offsets.push_back(static_cast<int>(offset));
  return offsets;
}

TopologyRound random_out_round(int nodes, int degree, std::uint64_t seed, std::int64_t t) {
  CHECK(degree >= 1 && degree < nodes, "degree ", degree, " of ", nodes, " nodes");
  Draw draw{.seed = seed, .stream = Stream::kTopology, .step = static_cast<std::uint64_t>(t)};
  const std::vector<int> next = random_cycle(nodes, draw);
  Targets targets;
  targets.reserve(static_cast<std::size_t>(nodes) * degree);
  std::vector<int> taken_by(nodes, -1);  // the last source that chose this target
  for (int source = 0; source < nodes; ++source) {
    const auto [low, high] = std::minmax(source, next[source]);
    targets.push_back(next[source]);
    draw.node = static_cast<std::uint64_t>(source);
    const int others = nodes - 2;
    // Floyd's sampling without replacement: one draw a peer, however many there are.
    for (int last = others - (degree - 1); last < others; ++last) {
      const auto peer = [&](int other) { return other + (other >= low) + (other + (other >= low) >= high); };
      draw.index = static_cast<std::uint64_t>(last) + 1;  // index 0 draws the cycle
      int target = peer(static_cast<int>(random_below(draw, static_cast<std::uint64_t>(last) + 1)));
      if (taken_by[target] == source) target = peer(last);
      taken_by[target] = source;
      targets.push_back(target);
    }
  }
  return round_of(nodes, degree, targets);
}

}  // namespace sparsepush
