#include "kernels/mixing/random_out.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/permutation_block.h"

namespace sparsepush {
namespace {

constexpr int kNodesAtOnce = 256;  // of a replica that one worker draws for

/// Calls body(replica, first, count) for tiles of every replica's nodes.
template <class Body>
void for_each_tile(const Cpu& cpu, const DrawRandomOut& d, const Body& body) {
  const int tiles = static_cast<int>(divide_up(d.topology.nodes, kNodesAtOnce));
  cpu.pool().run(std::ssize(d.seed) * tiles, [&](std::int64_t item, int) {
    const int first = static_cast<int>(item % tiles) * kNodesAtOnce;
    body(item / tiles, first, std::min(kNodesAtOnce, d.topology.nodes - first));
  });
}

/// Orders a replica's edges by target, then source, by counting. place: [nodes + 1] scratch
void sort_by_target(const DrawRandomOut& d, std::int64_t replica, std::span<const std::int32_t> targets,
                    std::span<std::int64_t> place) {
  const auto [nodes, degree] = d.topology;
  const std::int64_t first_row = replica * nodes, first_edge = first_row * degree;
  const std::span<const std::int32_t> target = targets.subspan(first_edge, std::int64_t{nodes} * degree);
  std::ranges::fill(place, 0);  // it becomes where the next in-edge of each node goes
  for (const std::int32_t t : target) ++place[t + 1];
  place[0] = first_edge;
  std::partial_sum(place.begin(), place.end(), place.begin());
  std::copy(place.begin() + 1, place.end(), d.begin.begin() + first_row + 1);
  for (std::int64_t e = 0; e < std::ssize(target); ++e)
    d.slot[place[target[e]]++] = static_cast<std::int32_t>(first_row + e / degree);
}

}  // namespace

void check_draw_random_out_shapes(const DrawRandomOut& d) {
  const auto [nodes, degree] = d.topology;
  CHECK(1 <= degree && degree < nodes, "degree ", degree, " of ", nodes, " nodes");
  const std::size_t rows = d.seed.size() * nodes;
  CHECK(rows * degree <= std::numeric_limits<std::int32_t>::max(), "rows ", rows, ", degree ", degree);
  CHECK(d.begin.size() == rows + 1, "begin [", d.begin.size(), "], rows ", rows);
  CHECK(d.slot.size() == rows * degree, "slot [", d.slot.size(), "], rows ", rows, ", degree ", degree);
}

void draw_cycle(const RandomOut& topology, std::uint64_t seed, std::int64_t round, int first,
                std::span<std::int32_t> order, VectorLevel level) {
  const int count = static_cast<int>(order.size()), nodes = topology.nodes;
  CHECK(first >= 0 && count <= nodes - first, "nodes ", first, " + ", count, " of ", nodes);
  PermutationBlock block{.draw = cycle_draw(seed, round), .count = static_cast<std::uint32_t>(nodes)};
  block.step.fill(static_cast<std::uint32_t>(round));
  for (int begin = 0; begin < count; begin += PermutationBlock::kLanes) {
    const int live = std::min(PermutationBlock::kLanes, count - begin);
    for (int i = 0; i < PermutationBlock::kLanes; ++i) block.index[i] = first + begin + std::min(i, live - 1);
    permute(&block, level);
    std::copy_n(block.index.begin(), live, order.begin() + begin);
  }
}

void draw_random_out(const Cpu& cpu, const DrawRandomOut& d, RandomOutScratch<Cpu>& scratch) {
  check_draw_random_out_shapes(d);
  const int nodes = d.topology.nodes, degree = d.topology.degree;
  const std::span<std::int32_t> orders = scratch.order.span(), targets = scratch.target.span();
  for_each_tile(cpu, d, [&](std::int64_t replica, int first, int count) {
    draw_cycle(d.topology, d.seed[replica], *d.round, first, orders.subspan(replica * nodes + first, count),
               cpu.vector_level());
  });
  for_each_tile(cpu, d, [&](std::int64_t replica, int first, int count) {
    const std::span<const std::int32_t> order = orders.subspan(replica * nodes, nodes);
    for (int i = first; i < first + count; ++i)
      draw_targets(d.topology, d.seed[replica], *d.round, order[i], order[i + 1 < nodes ? i + 1 : 0],
                   &targets[(replica * nodes + order[i]) * degree]);
  });
  d.begin[0] = 0;
  cpu.pool().run(std::ssize(d.seed), [&](std::int64_t replica, int worker) {
    sort_by_target(d, replica, targets, cpu.pool().scratch<std::int64_t>(worker, nodes + 1));
  });
}

}  // namespace sparsepush
