// Whether a round's selection was exact: done again by a path that shares only `magnitude_key` with the fast one.
#pragma once
#include "kernels/backend/view.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/topk/selection_memory.h"

namespace sparsepush {

/// Verifies what `topk_select` or `update_select` did last with `memory`: takes v = e with the message's entries put
/// back, bit for bit, and selects from it by the definition. Throws std::runtime_error that names the first node and
/// group whose message or error memory differ. error: [nodes, row]; messages: [slots >= nodes, entries >= every
/// plan's]; other shapes throw std::invalid_argument. Neither is changed; it waits for the backend and allocates.
void verify_selection(const Cpu& cpu, const SelectionMemory<Cpu>& memory, MatrixView<const float> error,
                      const ConstMessages& messages);
/// Verifies on the host, which gets about a megabyte at a time, or one row for each of its processors if that is more.
void verify_selection(const Cuda& gpu, const SelectionMemory<Cuda>& memory, MatrixView<const float> error,
                      const ConstMessages& messages);

}  // namespace sparsepush
