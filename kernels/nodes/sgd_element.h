// The SGD step of one element, on every backend: shared by the ops that contain it.
#pragma once
#include <cmath>

#include "kernels/nodes/debias.h"
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {

/// What the step of one node is taken with.
struct NodeStep {
  float inverse_u;  ///< (float)(1.0 / u)
  float lr, momentum, weight_decay;
};

constexpr NodeStep node_step(const SgdUpdate& update, int node) {
  const int nodes_per_replica = update.x.rows / static_cast<int>(update.settings.size());
  const SgdSettings settings = update.settings[node / nodes_per_replica];
  return {debias_factor(update.u[node]), settings.lr, settings.momentum, settings.weight_decay};
}

/// The step of one element, as in the contract; returns its new x.
template <bool kNesterov>
constexpr float step_element(const NodeStep& s, float x, float& momentum, float gradient) {
  const float z = x * s.inverse_u;
  const float g = std::fma(s.weight_decay, z, gradient);
  momentum = std::fma(s.momentum, momentum, g);
  const float step = kNesterov ? std::fma(s.momentum, momentum, g) : momentum;
  return std::fma(-s.lr, step, x);
}

}  // namespace sparsepush
