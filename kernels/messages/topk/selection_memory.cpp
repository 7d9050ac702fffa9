#include "kernels/messages/topk/selection_memory.h"

#include <utility>

#include "kernels/backend/check.h"
#include "kernels/messages/topk/cpu_selection.h"
#include "kernels/messages/topk/cuda_selection.h"

namespace sparsepush {

template <class Backend>
SelectionMemory<Backend>::SelectionMemory(const Backend& backend, int nodes, const RowLayout& layout,
                                          std::vector<TopkPlan> plans)
    : nodes_(nodes), layout_(layout), plans_(std::move(plans)) {
  CHECK(!plans_.empty() && nodes % plans_.size() == 0, "plans ", plans_.size(), ", nodes ", nodes);
  contents_ = std::make_unique<Contents>(backend, nodes, layout_, plans_);
}

template <class Backend>
SelectionMemory<Backend>::~SelectionMemory() = default;
template <class Backend>
SelectionMemory<Backend>::SelectionMemory(SelectionMemory&&) noexcept = default;

template <class Backend>
std::int64_t SelectionMemory<Backend>::bytes(int nodes, const RowLayout& layout, const TopkPlan& plan, int threads) {
  return Contents::bytes(nodes, layout, plan, threads);
}

template class SelectionMemory<Cpu>;
template class SelectionMemory<Cuda>;

}  // namespace sparsepush
