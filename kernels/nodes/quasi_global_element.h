// The step with quasi-global momentum of one element, on every backend.
#pragma once
#include <cmath>

#include "kernels/nodes/quasi_global_update.h"
#include "kernels/nodes/sgd_element.h"

namespace sparsepush {

/// As SgdRule: the second array is the z of the last step.
struct QuasiGlobalRule {
  static constexpr bool kHasSecond = true;

  explicit constexpr QuasiGlobalRule(const SgdSettings& settings) : inverse_lr(settings.inverse_lr) {}
  constexpr float direction(const NodeStep& s, float z, float& momentum, float& second, float gradient) const {
    momentum = std::fma(s.momentum, momentum, inverse_lr * (second - z));
    second = z;
    return std::fma(s.momentum, momentum, std::fma(s.weight_decay, z, gradient));
  }

  float inverse_lr;
};

}  // namespace sparsepush
