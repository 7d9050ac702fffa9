#include "kernels/mixing/round_edges.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"

namespace sparsepush {
namespace {
constexpr std::int64_t kNodesPerItem = 1024;  // fewer are done sooner than another thread wakes up
}

void check_round_edges(const RoundEdges& edges, int nodes, int slots, MixedNodes mixed) {
  CHECK(slots >= nodes, "slots ", slots, ", nodes ", nodes);
  CHECK(edges.begin.size() == static_cast<std::size_t>(nodes) + 1, "begin [", edges.begin.size(), "], nodes ", nodes);
  CHECK(edges.self_weight.size() == static_cast<std::size_t>(nodes), "self_weight [", edges.self_weight.size(),
        "], nodes ", nodes);
  CHECK(edges.slot.size() == edges.weight.size(), "slot [", edges.slot.size(), "], weight [", edges.weight.size(), "]");
  CHECK(mixed == MixedNodes::kAll || edges.is_boundary.size() == static_cast<std::size_t>(nodes), "is_boundary [",
        edges.is_boundary.size(), "], nodes ", nodes);
}

void check_round_edge_values(const RoundEdges& edges, int slots, MixedNodes mixed) {
  CHECK(edges.begin.front() == 0 && edges.begin.back() == static_cast<std::int64_t>(edges.slot.size()), "begin ",
        edges.begin.front(), " to ", edges.begin.back(), ", edges ", edges.slot.size());
  for (std::size_t i = 0; i + 1 < edges.begin.size(); ++i)
    CHECK(edges.begin[i] <= edges.begin[i + 1], "begin[", i, "] = ", edges.begin[i], ", next ", edges.begin[i + 1]);
  for (std::size_t i = 0; i + 1 < edges.begin.size(); ++i) {
    if (!is_mixed(edges, mixed, static_cast<std::int64_t>(i))) continue;
    for (std::int64_t e = edges.begin[i]; e < edges.begin[i + 1]; ++e)
      CHECK(edges.slot[e] >= 0 && edges.slot[e] < slots, "slot[", e, "] = ", edges.slot[e], " of ", slots);
  }
}

void mix_push_weights(const Cpu& cpu, const RoundEdges& edges, std::span<const double> before, std::span<double> u) {
  const auto nodes = static_cast<std::int64_t>(u.size());
  check_round_edges(edges, static_cast<int>(nodes), static_cast<int>(before.size()));
  check_round_edge_values(edges, static_cast<int>(before.size()));
  cpu.pool().run(divide_up(nodes, kNodesPerItem), [&](std::int64_t item, int) {
    for (std::int64_t i = item * kNodesPerItem; i < std::min(nodes, (item + 1) * kNodesPerItem); ++i)
      u[i] = mixed_weight(edges, i, before);
  });
}

}  // namespace sparsepush
