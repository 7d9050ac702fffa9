// Mixing weights on a grid, so that every column of eta (P - I) sums to zero exactly in fp32.
#pragma once
#include <cstdint>
#include <vector>

#include "host/topologies/topology.h"

namespace sparsepush {

/// Weights of one round as the mixing ops use them.
struct MixingWeights {
  std::vector<float> edge;  ///< [edges] w_ij, in the order of the round's edges
  std::vector<float> self;  ///< [nodes] w_jj = -sum over i != j of w_ij
};

/// Computes w_ij = rint(eta p_ij 2^S) / 2^S (ties to even), S = 24 - ceil(log2 eta), 0 < eta <= 1. If a column's sum
/// would exceed 2^24 grid units or eta, its w_ij are rounded down instead, and so are those of reverse edges of equal
/// weight:
/// weights that are symmetric stay so. Throws InputError, naming edge and `round`, if a
/// weight becomes 0.
MixingWeights mixing_weights(const TopologyRound& topology, double eta, std::int64_t round);

}  // namespace sparsepush
