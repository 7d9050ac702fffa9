// What a round of dense mixing adds to every node, summed up by differences.
#pragma once
#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {

/// Arguments of `difference_mix`.
struct DifferenceMix {
  MatrixView<float> sum;                ///< [nodes, row] written; row a multiple of 4
  MatrixView<const float> q;            ///< [slots, row] what is mixed, beginning with the nodes' own; apart from sum
  RoundEdges edges;                     ///< self weights do not count
  MixedNodes mixed = MixedNodes::kAll;  ///< interior nodes need the slots of the nodes only
};

/// Mixes by differences: sum_i = 0, then over in-edges by ascending source sum_i = fma(w_ij, q_j - q_i, sum_i). Where
/// rows of weights sum to zero that is eta (P - I) q, and rounds as the differences are small, not as q is large. Sums
/// of nodes that are not mixed stay as they are. Backends agree exactly (NaN payloads aside).
void difference_mix(const Cpu& cpu, const DifferenceMix& mix);
void difference_mix(const Cuda& gpu, const DifferenceMix& mix);

/// Checks the shapes above.
void check_difference_mix_shapes(const DifferenceMix& mix);

}  // namespace sparsepush
