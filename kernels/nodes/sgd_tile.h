// The SGD step on a piece of one node's row, shared by the ops that contain it.
#pragma once
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/backend/multiversion.h"
#include "kernels/nodes/debias.h"
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {

/// What the step of one node is taken with.
struct SgdNode {
  float inverse_u;  ///< (float)(1.0 / u)
  SgdSettings settings;
  bool nesterov;
};

inline SgdNode sgd_node(const SgdUpdate& update, int node) {
  const std::int64_t nodes_per_replica = update.x.rows / static_cast<std::int64_t>(update.settings.size());
  return {debias_factor(update.u[node]), update.settings[node / nodes_per_replica], update.nesterov};
}

inline constexpr std::uint32_t kFirstNonFinite = 0x7f80'0000u;  ///< bits of infinity

/// The step of coordinate i; returns its new x.
template <bool kNesterov>
[[gnu::always_inline]] inline float sgd_step(const SgdNode& s, float* __restrict x, float* __restrict momentum,
                                             const float* __restrict gradient, std::int64_t i) {
  const float z = x[i] * s.inverse_u;
  const float g = std::fma(s.settings.weight_decay, z, gradient[i]);
  const float m = std::fma(s.settings.momentum, momentum[i], g);
  const float step = kNesterov ? std::fma(s.settings.momentum, m, g) : m;
  const float next = std::fma(-s.settings.lr, step, x[i]);
  momentum[i] = m;
  x[i] = next;
  return next;
}

/// x and momentum of `size` coordinates. Returns the largest magnitude bits of the new x.
template <bool kNesterov>
[[gnu::always_inline]] inline std::uint32_t sgd_loop(SgdNode s, std::int64_t size, float* __restrict x,
                                                     float* __restrict momentum, const float* __restrict gradient) {
  std::uint32_t largest = 0;
#pragma GCC ivdep  // the arrays are distinct: no checks for overlap in every stretch
  for (std::int64_t i = 0; i < size; ++i) {
    const float next = sgd_step<kNesterov>(s, x, momentum, gradient, i);
    largest = std::max(largest, std::bit_cast<std::uint32_t>(next) & 0x7fff'ffffu);
  }
  return largest;
}

/// The same with v = x + e, which replaces e and is also written to `v`.
template <bool kNesterov>
[[gnu::always_inline]] inline void sgd_error_loop(SgdNode s, std::int64_t size, float* __restrict x,
                                                  float* __restrict momentum, const float* __restrict gradient,
                                                  float* __restrict e, float* __restrict v) {
#pragma GCC ivdep  // the arrays are distinct: no checks for overlap in every stretch
  for (std::int64_t i = 0; i < size; ++i) {
    const float next = sgd_step<kNesterov>(s, x, momentum, gradient, i) + e[i];
    e[i] = next;
    v[i] = next;
  }
}

/// Several workers may find the same node diverged.
inline void mark_diverged(const SgdUpdate& update, int node) {
  std::atomic_ref(update.diverged[node]).store(1, std::memory_order_relaxed);
}

}  // namespace sparsepush
