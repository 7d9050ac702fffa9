// Exact top-k of every node's row, for all nodes at once, and what it remembers from round to round.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/topk/cuda_selection.h"
#include "kernels/messages/topk/topk_plan.h"
#include "kernels/nodes/cuda_layout.h"

namespace sparsepush {

/// What selection remembers between rounds: a threshold per (node, group) that makes the next selection cheap.
/// It is a hint: results do not depend on it.
template <class Backend>
class SelectionMemory;

template <>
class SelectionMemory<Cpu> {
 public:
  /// For rows of `layout`, `nodes` of them; replica r selects by plans[r].
  SelectionMemory(const Cpu& cpu, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans);
  ~SelectionMemory();
  SelectionMemory(SelectionMemory&&) noexcept;

  const RowLayout& layout() const;
  std::span<const TopkPlan> plans() const;
  /// Bytes it holds, for the memory plan.
  static std::int64_t bytes(int nodes, const RowLayout& layout, const TopkPlan& plan, int threads);

  struct Contents;
  Contents& contents() { return *contents_; }

 private:
  std::unique_ptr<Contents> contents_;
};

/// All it needs is allocated on construction, so that ops with it can be captured in a CUDA graph.
template <>
class SelectionMemory<Cuda> {
 public:
  SelectionMemory(const Cuda& gpu, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans);

  const RowLayout& layout() const { return layout_.host(); }
  const CudaLayout& cuda_layout() const { return layout_; }
  std::span<const TopkPlan> plans() const { return plans_; }
  int nodes() const { return nodes_; }
  const CudaSelection& selection() const { return selection_; }
  /// Bytes it holds, for the memory plan; `nodes` of all replicas, which select by the same plan.
  static std::int64_t bytes(int nodes, const RowLayout& layout, const TopkPlan& plan);

 private:
  CudaLayout layout_;
  std::vector<TopkPlan> plans_;  ///< [replicas]
  int nodes_;
  CudaSelection selection_;  ///< of one plan, where all replicas have the same, or of each replica's
};

/// Per row of v: q = the plan's k largest |v| of each group; v -= q, which is +0 where kept; q is written to the node's
/// message, by increasing position. Equal magnitudes keep the lower position; NaN ranks above infinity, all NaNs equal;
/// padding is never selected. v: [nodes, row]; messages: [slots >= nodes, entries >= every plan's].
/// Exact for every input; backends agree exactly (NaN payloads aside).
void topk_select(const Cpu& cpu, SelectionMemory<Cpu>& memory, MatrixView<float> v, const Messages& messages);
void topk_select(const Cuda& gpu, SelectionMemory<Cuda>& memory, MatrixView<float> v, const Messages& messages);

/// The shapes above; throws std::invalid_argument. Called by every backend first.
void check_topk_select_shapes(const RowLayout& layout, std::span<const TopkPlan> plans, MatrixView<const float> v,
                              const Messages& messages);

}  // namespace sparsepush
