// Sparse messages whose positions are drawn: one set for all nodes of a replica and round.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/round_draws.h"
#include "kernels/messages/topk_plan.h"
#include "kernels/nodes/cuda_layout.h"

namespace sparsepush {

/// Positions that are drawn together: `entries` of the unpadded indices [first, first + size).
struct RandomGroup {
  std::uint64_t node = 0;  ///< in the draw: number of the tensor, or 2^32 - 1 for the whole row
  std::int64_t first = 0, size = 0;
  std::int64_t entries = 0;
  std::int64_t message_begin = 0;  ///< where they stand in the message
};

/// Returns those of a plan, in order.
std::vector<RandomGroup> random_groups(const RowLayout& layout, const TopkPlan& plan);

/// The plans of all replicas where ops of a backend read them, which must outlive it.
template <class Backend>
struct RandomPlans {
  RandomPlans(const Backend& backend, const RowLayout& layout, const std::vector<TopkPlan>& plans);
  /// Returns how many bytes it holds, for the memory plan: of so many replicas, which draw by the same plan.
  static std::int64_t bytes(int replicas, const RowLayout& layout, const TopkPlan& plan);

  std::int64_t most_entries;
  Buffer<Backend, RandomGroup> groups;    ///< [replicas, most groups]; the last ones of a row may have no entries
  Buffer<Backend, std::int64_t> entries;  ///< [replicas] of a message
  Buffer<Backend, std::uint32_t> drawn;   ///< [replicas, row / 32] bits of the positions that a GPU has drawn
};

/// Arguments of `random_k`. Rows are replica-major.
struct RandomK {
  MatrixView<float> v;  ///< [nodes, row]
  Messages messages;    ///< written: [slots >= nodes, entries >= every plan's]; the first rows are the local nodes'
  RoundDraws draws;
};

/// Takes the entries at drawn positions. Per replica and group: the positions of the indices first +
/// random_permutation(draw, i, size), i < entries, with the draw's node that of the group and its step the round's
/// number, in increasing order. Per row: q = v there, and v = +0, as `topk_select` leaves them. Backends agree exactly.
void random_k(const Cpu& cpu, const RowLayout& layout, const RandomPlans<Cpu>& plans, const RandomK& round);
void random_k(const Cuda& gpu, const CudaLayout& layout, const RandomPlans<Cuda>& plans, const RandomK& round);

/// Checks the shapes above.
void check_random_k_shapes(const RowLayout& layout, std::int64_t replicas, std::int64_t most_entries,
                           const RandomK& round);

}  // namespace sparsepush
