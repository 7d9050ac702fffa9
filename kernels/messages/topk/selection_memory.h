// What selections of messages remember from round to round.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/messages/topk_plan.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// A threshold per (node, group) that makes the next selection cheap, and memory to work in. It is a hint: results do
/// not depend on it. All it needs is allocated on construction, so that ops with it can be captured in a CUDA graph.
template <class Backend>
class SelectionMemory {
 public:
  /// Makes the memory for rows of `layout`, `nodes` of them; replica r selects by plans[r]. `backend` must outlive it.
  SelectionMemory(const Backend& backend, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans);
  ~SelectionMemory();
  SelectionMemory(SelectionMemory&&) noexcept;

  int nodes() const { return nodes_; }
  const RowLayout& layout() const { return layout_; }
  std::span<const TopkPlan> plans() const { return plans_; }
  /// Returns how many bytes it holds, for the memory plan: `nodes` of all replicas, which select by the same plan, and
  /// the threads of a Cpu.
  static std::int64_t bytes(int nodes, const RowLayout& layout, const TopkPlan& plan, int threads);

  struct Contents;  ///< stands in cpu_selection.h and cuda_selection.h
  Contents& contents() { return *contents_; }

 private:
  int nodes_;
  RowLayout layout_;
  std::vector<TopkPlan> plans_;  ///< [replicas]
  std::unique_ptr<Contents> contents_;
};

}  // namespace sparsepush
