// The step of neighbouring elements on the Cpu, shared by the ops that contain it.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

#include "kernels/backend/float_bits.h"
#include "kernels/nodes/sgd_element.h"

namespace sparsepush {

/// One node's arrays, each from the first of the elements on. z may be x; the others are distinct.
struct StepRows {
  float* x;
  const float* z;  ///< times 1 / u this is z
  float* momentum;
  float* second;  ///< if the rule has it
  const float* gradient;
  float* steps;  ///< if there are any
};

/// `size` elements of one node. Returns the largest magnitude bits of the new x.
template <bool kSteps, class Rule>
[[gnu::always_inline]] inline std::uint32_t step_loop(const Rule rule, NodeStep s, std::int64_t size,
                                                      const StepRows& rows) {
  const auto [x, z, momentum, second, gradient, steps] = rows;
  std::uint32_t largest = 0;
#pragma GCC ivdep  // no checks for overlap before every loop
  for (std::int64_t i = 0; i < size; ++i) {
    float none = 0;
    float& other = Rule::kHasSecond ? second[i] : none;
    const float direction = rule.direction(s, z[i] * s.inverse_u, momentum[i], other, gradient[i]);
    const float next = stepped(s, direction, x[i]);
    if constexpr (kSteps) steps[i] = stepped(s, direction, steps[i]);
    x[i] = next;
    largest = std::max(largest, magnitude_bits(next));
  }
  return largest;
}

/// Marks a node as diverged; several workers may find the same one so.
inline void mark_diverged(const SgdUpdate& update, int node) {
  std::atomic_ref(update.diverged[node]).store(1, std::memory_order_relaxed);
}

}  // namespace sparsepush
