// The SGD step of neighbouring elements on the Cpu, shared by the ops that contain it.
#pragma once
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "kernels/backend/multiversion.h"
#include "kernels/nodes/sgd_element.h"

namespace sparsepush {

inline constexpr std::uint32_t kFirstNonFinite = 0x7f80'0000u;  ///< bits of infinity

/// x and momentum of `size` coordinates. Returns the largest magnitude bits of the new x.
template <bool kNesterov>
[[gnu::always_inline]] inline std::uint32_t sgd_loop(NodeStep s, std::int64_t size, float* __restrict x,
                                                     float* __restrict momentum, const float* __restrict gradient) {
  std::uint32_t largest = 0;
#pragma GCC ivdep  // the arrays are distinct: no checks for overlap before every loop
  for (std::int64_t i = 0; i < size; ++i) {
    const float next = step_element<kNesterov>(s, x[i], momentum[i], gradient[i]);
    x[i] = next;
    largest = std::max(largest, std::bit_cast<std::uint32_t>(next) & 0x7fff'ffffu);
  }
  return largest;
}

/// The same with v = x + e, which replaces e and is also written to `v`.
template <bool kNesterov>
[[gnu::always_inline]] inline void sgd_error_loop(NodeStep s, std::int64_t size, float* __restrict x,
                                                  float* __restrict momentum, const float* __restrict gradient,
                                                  float* __restrict e, float* __restrict v) {
#pragma GCC ivdep  // the arrays are distinct: no checks for overlap before every loop
  for (std::int64_t i = 0; i < size; ++i) {
    const float next = step_element<kNesterov>(s, x[i], momentum[i], gradient[i]);
    const float sum = next + e[i];
    x[i] = next;
    e[i] = sum;
    v[i] = sum;
  }
}

/// Several workers may find the same node diverged.
inline void mark_diverged(const SgdUpdate& update, int node) {
  std::atomic_ref(update.diverged[node]).store(1, std::memory_order_relaxed);
}

}  // namespace sparsepush
