// The topology of one round as the mixing ops read it.
#pragma once
#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"

namespace sparsepush {

/// In-edges of every local node, in backend memory. Weights are multiples of a power of two such that every column of
/// eta (P - I) sums to zero exactly.
struct RoundEdges {
  std::span<const std::int64_t> begin;  ///< [nodes + 1] node i has the in-edges [begin[i], begin[i + 1])
  std::span<const std::int32_t> slot;   ///< [edges] where the source's message stands; sources ascend within a node
  std::span<const float> weight;        ///< [edges] w_ij = eta * p_ij on the grid
  std::span<const float> self_weight;   ///< [nodes] w_ii = -sum of the weights of the node's out-edges
  std::span<const std::uint8_t> is_boundary = {};  ///< [nodes] whether it hears nodes of other shards; or empty
};

/// Which nodes of a shard are mixed; the others stay as they are. Interior nodes hear only nodes of their own shard, so
/// they need not wait for what the others send.
enum class MixedNodes { kAll, kInterior, kBoundary };

/// Returns whether `node` is among them.
constexpr bool is_mixed(const RoundEdges& edges, MixedNodes mixed, std::int64_t node) {
  return mixed == MixedNodes::kAll || (edges.is_boundary[node] != 0) == (mixed == MixedNodes::kBoundary);
}

/// Checks the shapes of `edges` for `nodes` nodes and `slots` slots; throws std::invalid_argument.
void check_round_edges(const RoundEdges& edges, int nodes, int slots, MixedNodes mixed = MixedNodes::kAll);
/// Checks that edges in host memory stay within their arrays, and those of mixed nodes within the slots; throws
/// std::invalid_argument. Called by the Cpu.
void check_round_edge_values(const RoundEdges& edges, int slots, MixedNodes mixed = MixedNodes::kAll);

/// Mixes push-sum weights: u_i = fma(w_ii, u_i, u_i), then over in-edges u_i = fma(w_ij, u_j, u_i), in double; `before`
/// [slots] holds every slot's u before the round, `u` [nodes] receives the new ones (the two may not overlap).
void mix_push_weights(const Cpu& cpu, const RoundEdges& edges, std::span<const double> before, std::span<double> u);
void mix_push_weights(const Cuda& gpu, const RoundEdges& edges, std::span<const double> before, std::span<double> u);

/// Returns the new u of one node.
constexpr double mixed_weight(const RoundEdges& edges, std::int64_t node, std::span<const double> before) {
  double u = std::fma(static_cast<double>(edges.self_weight[node]), before[node], before[node]);
  for (std::int64_t e = edges.begin[node]; e < edges.begin[node + 1]; ++e)
    u = std::fma(static_cast<double>(edges.weight[e]), before[edges.slot[e]], u);
  return u;
}

}  // namespace sparsepush
