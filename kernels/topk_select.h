// Exact top-k of every node's row, for all nodes at once, and what it remembers from round to round.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda_layout.h"
#include "kernels/messages.h"
#include "kernels/topk_plan.h"

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

/// One selection of one node.
struct NodeGroup {
  std::int32_t node;
  std::int32_t begin, end;     ///< positions of the group's elements in the row, padding among them
  std::int32_t entries;        ///< elements kept
  std::int32_t message_begin;  ///< where they stand in the node's message
};

template <>
class SelectionMemory<Cuda> {
 public:
  SelectionMemory(const Cuda& gpu, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans);

  const RowLayout& layout() const { return layout_.host(); }
  const CudaLayout& cuda_layout() const { return layout_; }
  std::span<const TopkPlan> plans() const { return plans_; }
  int nodes() const { return nodes_; }
  /// Of all nodes, those of most elements first, on the GPU.
  std::span<const NodeGroup> groups() const { return groups_.span(); }
  /// Bytes it holds, for the memory plan.
  static std::int64_t bytes(int nodes, const RowLayout& layout, const TopkPlan& plan);

 private:
  CudaLayout layout_;
  std::vector<TopkPlan> plans_;  ///< [replicas]
  int nodes_;
  Buffer<Cuda, NodeGroup> groups_;
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
