// The SGD step of one element on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"
#include "kernels/nodes/debias.h"
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {

/// What one replica's step needs on one node.
struct NodeStep {
  float inverse_u, lr, momentum, weight_decay;
};

__device__ inline NodeStep node_step(const SgdUpdate& update, int node) {
  const int nodes_per_replica = update.x.rows / static_cast<int>(update.settings.size());
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

__device__ inline bool is_finite(float x) { return (magnitude_key(x) & 0x7f80'0000u) != 0x7f80'0000u; }

}  // namespace sparsepush
