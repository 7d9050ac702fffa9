#include "kernels/messages/topk/update_select.h"

#include "kernels/backend/check.h"
#include "kernels/messages/topk/cpu_selection.h"
#include "kernels/nodes/step_loop.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kAhead = 512;  // floats to where the rows are asked for: processors stop to do so at each page

template <class... Row>
[[gnu::always_inline]] inline void prefetch_at(std::int64_t position, const Row*... row) {
  (__builtin_prefetch(row + position), ...);
}

/// The rows are v = x + e after the SGD step, written to e.
template <bool kNesterov>
struct UpdatedRows {
  const UpdateSelect& round;

  auto elements(int node) const {
    return [
      step = node_step(round.sgd, node), x = round.sgd.x.row(node), momentum = round.sgd.momentum.row(node),
      gradient = round.sgd.gradient.row(node), error = round.error.row(node)
    ](std::int64_t begin, std::int64_t size, float* v) __attribute__((always_inline)) {
      prefetch_at(begin + kAhead, x, momentum, gradient, error);
#pragma GCC ivdep  // the arrays are distinct: no checks for overlap before every loop
      for (std::int64_t i = begin; i < begin + size; ++i) {
        const float next = sgd_step<kNesterov>(step, x[i], momentum[i], gradient[i]), sum = next + error[i];
        x[i] = next;
        error[i] = v[i - begin] = sum;
      }
    };
  }
  void seen(int node, std::uint32_t largest) const {
    if (largest >= kFirstNonFinite) mark_diverged(round.sgd, node);
  }
};

}  // namespace

void check_update_select_shapes(const RowLayout& layout, std::span<const TopkPlan> plans, const UpdateSelect& round) {
  check_sgd_update_shapes(layout, round.sgd);
  check_topk_select_shapes(layout, plans, round.error, round.messages);
  CHECK(round.error.rows == round.sgd.x.rows, "error ", round.error, ", x ", round.sgd.x);
}

void update_select(const Cpu& cpu, SelectionMemory<Cpu>& memory, const UpdateSelect& round) {
  check_update_select_shapes(memory.layout(), memory.plans(), round);
  CHECK(memory.nodes() == round.error.rows, "memory of ", memory.nodes(), " nodes, error ", round.error);
  if (round.sgd.nesterov) {
    select_from_rows(cpu, memory, round.error, round.messages, UpdatedRows<true>{round});
  } else {
    select_from_rows(cpu, memory, round.error, round.messages, UpdatedRows<false>{round});
  }
}

}  // namespace sparsepush
