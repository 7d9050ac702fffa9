#include "kernels/update_select.h"

#include "kernels/check.h"
#include "kernels/selection_memory.h"
#include "kernels/sgd_tile.h"

namespace sparsepush {

void check_update_select_shapes(const RowLayout& layout, std::span<const TopkPlan> plans, const UpdateSelect& round) {
  check_sgd_update_shapes(layout, round.sgd);
  check_topk_select_shapes(layout, plans, round.error, round.messages);
  CHECK(round.error.rows == round.sgd.x.rows, "error ", round.error, ", x ", round.sgd.x);
}

void update_select(const Cpu& cpu, SelectionMemory<Cpu>& memory, const UpdateSelect& round) {
  check_update_select_shapes(memory.layout(), memory.plans(), round);
  CHECK(memory.contents().warmth_begin.size() == static_cast<std::size_t>(round.error.rows), "memory of ",
        memory.contents().warmth_begin.size(), " nodes, error ", round.error);
  select_from_rows(cpu, memory.contents(), round.error, round.messages,
                   [&](int node, std::int64_t begin, std::int64_t size) {
                     const SgdNode settings = sgd_node(round.sgd, node);
                     if (!sgd_tile(round.sgd, node, settings, round.error.row(node), begin, size)) {
                       mark_diverged(round.sgd, node);
                     }
                   });
}

}  // namespace sparsepush
