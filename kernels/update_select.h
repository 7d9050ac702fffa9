// The fused first half of a Sparse-Push round: SGD step, error memory and exact top-k for every node in one pass.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/messages.h"
#include "kernels/sgd_update.h"
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

/// Arguments of `update_select`.
struct UpdateSelect {
  SgdUpdate sgd;
  MatrixView<float> error;  ///< [nodes, row] what compression has left out so far
  Messages messages;        ///< written: [slots >= nodes, entries >= every plan's]; the first rows are the local nodes'
};

/// `sgd_update`, then per node: v = x + e; q = the plan's k largest |v| of each group; e = v - q, which is +0 where kept;
/// q is written to the node's message, by increasing position. Equal magnitudes keep the lower position; NaN ranks above
/// infinity, all NaNs equal; padding is never selected. Exact for every input; backends agree exactly (NaN payloads aside).
void update_select(const Cpu& cpu, SelectionMemory<Cpu>& memory, const UpdateSelect& round);

/// The shapes above; throws std::invalid_argument. Called by every backend first.
void check_update_select_shapes(const RowLayout& layout, std::span<const TopkPlan> plans, const UpdateSelect& round);

}  // namespace sparsepush
