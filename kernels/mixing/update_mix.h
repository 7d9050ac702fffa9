// A whole round of dense gossip with its SGD step in one pass over the state.
#pragma once
#include <span>

#include "kernels/mixing/round_edges.h"
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {

/// Arguments of `update_mix`.
struct UpdateMix {
  SgdUpdate sgd;
  RoundEdges edges;                 ///< slots: the nodes, all of them local
  std::span<float> workspace = {};  ///< as of `dense_mix`
};

/// Does `sgd_update`, then `dense_mix` without a halo; bit for bit, and x, momentum and gradient are read once and
/// written once whatever the in-degree. `diverged` tells of x between the two. Backends agree exactly (NaN payloads
/// aside).
void update_mix(const Cpu& cpu, const RowLayout& layout, const UpdateMix& round);
void update_mix(const Cuda& gpu, const CudaLayout& layout, const UpdateMix& round);

/// Checks the shapes above.
void check_update_mix_shapes(const RowLayout& layout, const UpdateMix& round);

}  // namespace sparsepush
