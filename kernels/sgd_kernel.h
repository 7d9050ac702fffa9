// The SGD step on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include "kernels/debias.h"
#include "kernels/quad.h"
#include "kernels/sgd_update.h"

namespace sparsepush {

/// What the step of one node is taken with.
struct NodeStep {
  float inverse_u, lr, momentum, weight_decay;
};

__device__ inline NodeStep node_step(const SgdUpdate& update, std::int64_t node) {
  const std::int64_t nodes_per_replica = update.x.rows / static_cast<std::int64_t>(update.settings.size());
  const SgdSettings settings = update.settings[node / nodes_per_replica];
  return {debias_factor(update.u[node]), settings.lr, settings.momentum, settings.weight_decay};
}

/// The step of one element, as in the contract; returns its new x.
template <bool kNesterov>
__device__ float step_element(const NodeStep& s, float x, float& momentum, float gradient) {
  const float z = __fmul_rn(x, s.inverse_u);
  const float g = __fmaf_rn(s.weight_decay, z, gradient);
  momentum = __fmaf_rn(s.momentum, momentum, g);
  const float step = kNesterov ? __fmaf_rn(s.momentum, momentum, g) : momentum;
  return __fmaf_rn(-s.lr, step, x);
}

/// The step of a quad of one node's row, whose padding stays as it is; returns its new x.
template <bool kNesterov>
__device__ Quad step_quad(const NodeStep& s, float* x, float* momentum, const float* gradient, std::int64_t quad,
                          int live) {
  Quad next = load_quad(x, quad), m = load_quad(momentum, quad);
  const Quad g = load_quad(gradient, quad);
  for_each_lane(live, [&](int lane) {
    next.lane[lane] = step_element<kNesterov>(s, next.lane[lane], m.lane[lane], g.lane[lane]);
  });
  store_quad(next, x, quad);
  store_quad(m, momentum, quad);
  return next;
}

__device__ inline bool is_finite(const Quad& quad) {
  bool finite = true;
  for_each_lane(4, [&](int lane) { finite &= (magnitude_key(quad.lane[lane]) & 0x7f80'0000u) != 0x7f80'0000u; });
  return finite;
}

}  // namespace sparsepush
