// Whether a round's selection was exact: done again by a path that shares no code with the fast one.
#pragma once
#include <string>

#include "kernels/messages/messages.h"
#include "kernels/messages/topk/topk_select.h"

namespace sparsepush {

/// After `topk_select` or `update_select` with `memory`: takes v = e with the message's entries put back, bit for bit,
/// and selects from it by the definition. Throws std::runtime_error that names the first node and group whose message
/// or error memory differ. error: [nodes, row]; messages: [slots >= nodes, entries >= every plan's]. Neither is
/// changed; it waits for the backend and allocates.
void verify_selection(const Cpu& cpu, const SelectionMemory<Cpu>& memory, MatrixView<const float> error,
                      const ConstMessages& messages);
void verify_selection(const Cuda& gpu, const SelectionMemory<Cuda>& memory, MatrixView<const float> error,
                      const ConstMessages& messages);

/// The shapes above; throws std::invalid_argument. Called by every backend first.
void check_verify_selection_shapes(const RowLayout& layout, std::span<const TopkPlan> plans,
                                   MatrixView<const float> error, const ConstMessages& messages);

/// Throws the error of `group`, a number within the node's plan.
[[noreturn]] void selection_differs(int node, int group);

}  // namespace sparsepush
