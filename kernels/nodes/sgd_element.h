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

/// Returns the settings of the node's replica.
constexpr SgdSettings settings_of(const SgdUpdate& update, int node) {
  const int nodes_per_replica = update.x.rows / static_cast<int>(update.settings.size());
  return update.settings[node / nodes_per_replica];
}

/// Returns what the step of node `node` is taken with.
constexpr NodeStep node_step(const SgdUpdate& update, int node) {
  const SgdSettings settings = settings_of(update, node);
  return {debias_factor(update.u[node]), settings.lr, settings.momentum, settings.weight_decay};
}

/// Returns the direction of one element's step, s of the contract, and renews its momentum.
template <bool kNesterov>
constexpr float sgd_direction(const NodeStep& s, float z, float& momentum, float gradient) {
  const float g = std::fma(s.weight_decay, z, gradient);
  momentum = std::fma(s.momentum, momentum, g);
  return kNesterov ? std::fma(s.momentum, momentum, g) : momentum;
}

/// Returns x after a step; what takes every step that x takes likewise.
constexpr float stepped(const NodeStep& s, float direction, float x) { return std::fma(-s.lr, direction, x); }

/// Takes the step of SGD of one element, as in the contract; returns its new x.
template <bool kNesterov>
constexpr float sgd_step(const NodeStep& s, float x, float& momentum, float gradient) {
  return stepped(s, sgd_direction<kNesterov>(s, x * s.inverse_u, momentum, gradient), x);
}

/// What an optimizer is to the ops that take nothing but its step: made from its settings, it gives an element's
/// direction, and renews the element's momentum and, if `kHasSecond`, that of a second array.
template <bool kNesterov>
struct SgdRule {
  static constexpr bool kHasSecond = false;

  explicit constexpr SgdRule(const SgdSettings& /*settings*/) {}
  constexpr float direction(const NodeStep& s, float z, float& momentum, float& /*second*/, float gradient) const {
    return sgd_direction<kNesterov>(s, z, momentum, gradient);
  }
};

}  // namespace sparsepush
