// A random topology that is drawn anew in every round, by the backend itself: the host has no work with a round.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/random.h"
#include "kernels/backend/vector_level.h"

namespace sparsepush {

/// In each round every node sends to the next one on a random cycle through all nodes, and to degree - 1 other random
/// nodes. 1 <= degree < nodes.
struct RandomOut {
  int nodes = 0;  ///< of one replica
  int degree = 0;
};

/// Returns the draw of a round's cycle: node number i on it is random_permutation(draw, i, nodes).
constexpr Draw cycle_draw(std::uint64_t seed, std::int64_t round) {
  constexpr std::uint32_t kNoNode = 0xffff'ffff;
  return {.seed = seed, .purpose = Purpose::kTopology, .node = kNoNode, .step = static_cast<std::uint64_t>(round)};
}

/// Writes the `degree` targets of `source`, after which `next` comes on the cycle: next first, the others in no order.
/// Floyd's sampling without replacement: one draw a peer, however many there are, and a look at those before.
constexpr void draw_targets(const RandomOut& r, std::uint64_t seed, std::int64_t round, int source, int next,
                            std::int32_t* target) {
  Draw draw{.seed = seed,
            .purpose = Purpose::kTopology,
            .node = static_cast<std::uint64_t>(source),
            .step = static_cast<std::uint64_t>(round)};
  const int low = std::min(source, next), high = std::max(source, next);
  const auto peer = [low, high](int other) { return other + (other >= low) + (other + (other >= low) >= high); };
  target[0] = next;
  for (int k = 1; k < r.degree; ++k) {
    const int last = r.nodes - 2 - (r.degree - k);
    draw.index = static_cast<std::uint64_t>(last) + 1;
    const int chosen = peer(static_cast<int>(random_below(draw, static_cast<std::uint64_t>(last) + 1)));
    bool is_taken = false;
    for (int i = 1; i < k; ++i) is_taken |= target[i] == chosen;
    target[k] = is_taken ? peer(last) : chosen;
  }
}

/// Arguments of `draw_random_out`, in backend memory. rows = replicas * nodes; edges = rows * degree.
struct DrawRandomOut {
  RandomOut topology;
  std::span<const std::uint64_t> seed;  ///< [replicas]
  const std::int64_t* round = nullptr;  ///< [1]
  std::span<std::int64_t> begin;        ///< [rows + 1] as in RoundEdges
  std::span<std::int32_t> slot;         ///< [edges] as in RoundEdges, replicas side by side
};

/// Memory of `draw_random_out` between its passes.
template <class Backend>
class RandomOutScratch;

template <>
class RandomOutScratch<Cpu> {
 public:
  RandomOutScratch(const Cpu& cpu, std::int64_t rows, std::int64_t edges)
      : order(cpu, 1, static_cast<int>(rows)), target(cpu, 1, static_cast<int>(edges)) {}
  static std::int64_t bytes(std::int64_t rows, std::int64_t edges) { return 4 * (rows + edges); }

  Buffer<Cpu, std::int32_t> order;   ///< [rows] nodes of a replica along its cycle
  Buffer<Cpu, std::int32_t> target;  ///< [edges] by source
};

template <>
class RandomOutScratch<Cuda> {
 public:
  RandomOutScratch(const Cuda& gpu, std::int64_t rows, std::int64_t edges);
  /// Plans its memory, in bytes. What CUB wants depends on the GPU: about one more copy of the pairs, and its
  /// histograms.
  static std::int64_t bytes(std::int64_t /*rows*/, std::int64_t edges) { return 20 * edges + (1 << 20); }

  Buffer<Cuda, std::int32_t> target, source;  ///< [edges] by source
  Buffer<Cuda, std::int32_t> sorted_target;   ///< [edges]
  Buffer<Cuda, std::uint8_t> sort;            ///< what CUB wants
};

/// Draws the in-edges of round *round: those of `random_out_round` of every replica. Backends agree exactly.
void draw_random_out(const Cpu& cpu, const DrawRandomOut& draw, RandomOutScratch<Cpu>& scratch);
void draw_random_out(const Cuda& gpu, const DrawRandomOut& draw, RandomOutScratch<Cuda>& scratch);

/// Checks the shapes above.
void check_draw_random_out_shapes(const DrawRandomOut& draw);

/// Draws order[i] = node number first + i on the cycle, in host memory.
void draw_cycle(const RandomOut& topology, std::uint64_t seed, std::int64_t round, int first,
                std::span<std::int32_t> order, VectorLevel level);

}  // namespace sparsepush
