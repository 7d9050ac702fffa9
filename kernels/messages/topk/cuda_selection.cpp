#include "kernels/messages/topk/cuda_selection.h"

#include <algorithm>

namespace sparsepush {
namespace {

/// One for all replicas, if it is the same.
std::span<const TopkPlan> distinct(std::span<const TopkPlan> plans) {
  const bool same = std::ranges::all_of(plans, [&](const TopkPlan& plan) { return plan == plans[0]; });
  return same ? plans.first(1) : plans;
}

}  // namespace

SelectionMemory<Cuda>::Contents::Contents(const Cuda& gpu, int nodes, const RowLayout& layout,
                                          std::span<const TopkPlan> plans)
    : layout(gpu, layout), selection(gpu, nodes / static_cast<int>(distinct(plans).size()), layout, distinct(plans)) {}

std::int64_t SelectionMemory<Cuda>::Contents::bytes(int nodes, const RowLayout& layout, const TopkPlan& plan, int) {
  return layout.row / 4 + CudaSelection::bytes(nodes, make_selection_tiles(layout, std::span(&plan, 1)));
}

}  // namespace sparsepush
