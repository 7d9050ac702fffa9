#include "kernels/messages/topk/cuda_selection.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/messages/topk/topk_select.h"

namespace sparsepush {
namespace {

/// One for all replicas, if it is the same.
std::span<const TopkPlan> distinct(std::span<const TopkPlan> plans) {
  const bool same = std::ranges::all_of(plans, [&](const TopkPlan& plan) { return plan == plans[0]; });
  return same ? plans.first(std::min<std::size_t>(1, plans.size())) : plans;
}

int nodes_per_plan(int nodes, std::span<const TopkPlan> plans) {
  CHECK(!plans.empty() && nodes % plans.size() == 0, "plans ", plans.size(), ", nodes ", nodes);
  return nodes / static_cast<int>(distinct(plans).size());
}

}  // namespace

SelectionMemory<Cuda>::SelectionMemory(const Cuda& gpu, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans)
    : layout_(gpu, layout),
      plans_(std::move(plans)),
      nodes_(nodes),
      selection_(gpu, nodes_per_plan(nodes, plans_), layout, distinct(plans_)) {}

std::int64_t SelectionMemory<Cuda>::bytes(int nodes, const RowLayout& layout, const TopkPlan& plan) {
  return layout.row / 4 + CudaSelection::bytes(nodes, make_selection_tiles(layout, std::span(&plan, 1)));
}

}  // namespace sparsepush
