#include "kernels/messages/topk/topk_select.h"

#include "kernels/backend/check.h"
#include "kernels/messages/topk/cpu_selection.h"

namespace sparsepush {
namespace {

/// The elements are there already.
struct GivenRows {
  MatrixView<const float> v;

  auto elements(int node) const { return RowElements{v.row(node)}; }
  void seen(int, std::uint32_t) const {}
};

}  // namespace

void check_topk_select_shapes(const RowLayout& layout, std::span<const TopkPlan> plans, MatrixView<const float> v,
                              const Messages& messages) {
  CHECK(v.cols == layout.row, "v ", v, ", row ", layout.row);
  CHECK(!plans.empty() && v.rows % plans.size() == 0, "plans ", plans.size(), ", v ", v);
  CHECK(messages.position.rows >= v.rows && messages.value.rows >= v.rows, "positions ", messages.position, ", values ",
        messages.value, ", v ", v);
  for (const TopkPlan& plan : plans) {
    CHECK(messages.position.cols >= plan.entries && messages.value.cols == messages.position.cols, "positions ",
          messages.position, ", values ", messages.value, ", entries ", plan.entries);
  }
}

void topk_select(const Cpu& cpu, SelectionMemory<Cpu>& memory, MatrixView<float> v, const Messages& messages) {
  check_topk_select_shapes(memory.layout(), memory.plans(), v, messages);
  CHECK(memory.nodes() == v.rows, "memory of ", memory.nodes(), " nodes, v ", v);
  select_from_rows(cpu, memory, v, messages, GivenRows{v});
}

}  // namespace sparsepush
