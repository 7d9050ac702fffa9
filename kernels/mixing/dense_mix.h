// The second half of a dense round: every node mixes whole rows of its in-neighbours.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {

/// Arguments of `dense_mix`.
struct DenseMix {
  MatrixView<float> x;        ///< [nodes, row] updated in place; row a multiple of 4
  MatrixView<const float> q;  ///< [slots, row] what is mixed, beginning with the nodes' own; x itself, or apart from it
  RoundEdges edges;
  MixedNodes mixed = MixedNodes::kAll;  ///< others if q is apart; interior nodes need the slots of the nodes only
  std::span<float> workspace = {};      ///< [dense_mix_workspace(most slots, row)] in the memory of a GPU

  constexpr bool apart() const { return q.data != x.data; }
};

/// Returns how many floats a GPU needs beside its shared memory to mix so many slots, or fewer; a Cpu needs none.
std::int64_t dense_mix_workspace(std::int64_t slots, std::int64_t row);

/// Mixes x += eta (P - I) q with q as it was before the call: x_i = fma(w_ii, q_i, x_i), then over in-edges by
/// ascending source x_i = fma(w_ij, q_j, x_i). The same bits as `push_sum_mix` of complete messages. Backends agree
/// exactly.
void dense_mix(const Cpu& cpu, const DenseMix& mix);
void dense_mix(const Cuda& gpu, const DenseMix& mix);

/// Checks the shapes above.
void check_dense_mix_shapes(const DenseMix& mix);

}  // namespace sparsepush
