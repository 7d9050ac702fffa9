// Exact top-k of every node's row, for all nodes at once.
#pragma once
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/topk/selection_memory.h"
#include "kernels/messages/topk_plan.h"

namespace sparsepush {

/// Selects per row of v: q = the plan's k largest |v| of each group; v -= q, which is +0 where kept; q is written to
/// the node's message, by increasing position. Equal magnitudes keep the lower position; NaN ranks above infinity, all
/// NaNs equal; padding is never selected. v: [nodes, row]; messages: [slots >= nodes, entries >= every plan's]. Exact
/// for every input; backends agree exactly (NaN payloads aside).
void topk_select(const Cpu& cpu, SelectionMemory<Cpu>& memory, MatrixView<float> v, const Messages& messages);
void topk_select(const Cuda& gpu, SelectionMemory<Cuda>& memory, MatrixView<float> v, const Messages& messages);

/// Checks the shapes above.
void check_topk_select_shapes(const RowLayout& layout, std::span<const TopkPlan> plans, MatrixView<const float> v,
                              const Messages& messages);

}  // namespace sparsepush
