// The second half of a sparse round: every node adds the weighted messages of its in-neighbours.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/messages/messages.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {

/// Arguments of `push_sum_mix`.
struct PushSumMix {
  MatrixView<float> x;                    ///< [nodes, row] push-sum numerators, updated
  ConstMessages messages;                 ///< [slots, entries]
  std::span<const std::int64_t> entries;  ///< [slots] how many entries of each message count
  RoundEdges edges;
  MixedNodes mixed = MixedNodes::kAll;  ///< interior ones need the slots of the nodes only
};

/// Mixes x += eta (P - I) q: x_i = fma(w_ii, q_i, x_i), then over in-edges by ascending source x_i =
/// fma(w_ij, q_j, x_i). Elements without a kept entry stay untouched. Backends agree exactly (NaN payloads aside).
void push_sum_mix(const Cpu& cpu, const PushSumMix& mix);
void push_sum_mix(const Cuda& gpu, const PushSumMix& mix);

/// Checks the shapes above.
void check_push_sum_mix_shapes(const PushSumMix& mix);

}  // namespace sparsepush
