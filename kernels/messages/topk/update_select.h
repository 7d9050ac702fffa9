// The fused first half of a Sparse-Push round: SGD step, error memory and exact top-k for every node in one pass.
#pragma once
#include <span>

#include "kernels/messages/messages.h"
#include "kernels/messages/topk/topk_select.h"
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {

/// Arguments of `update_select`.
struct UpdateSelect {
  SgdUpdate sgd;
  MatrixView<float> error;  ///< [nodes, row] what compression has left out so far
  Messages messages;        ///< written: [slots >= nodes, entries >= every plan's]; the first rows are the local nodes'
};

/// Does `sgd_update`, then per node: v = x + e; q = the plan's k largest |v| of each group; e = v - q, which is +0
/// where kept; q is written to the node's message, by increasing position. Equal magnitudes keep the lower position;
/// NaN ranks above infinity, all NaNs equal; padding is never selected. Exact for every input; backends agree exactly
/// (NaN payloads aside).
void update_select(const Cpu& cpu, SelectionMemory<Cpu>& memory, const UpdateSelect& round);
void update_select(const Cuda& gpu, SelectionMemory<Cuda>& memory, const UpdateSelect& round);

/// Checks the shapes above.
void check_update_select_shapes(const RowLayout& layout, std::span<const TopkPlan> plans, const UpdateSelect& round);

}  // namespace sparsepush
