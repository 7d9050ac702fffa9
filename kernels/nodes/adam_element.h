// The step of Adam of one element, on every backend.
#pragma once
#include <cmath>

#include "kernels/nodes/adam_update.h"
#include "kernels/nodes/sgd_element.h"

namespace sparsepush {

/// As SgdRule: the second array is the second moment.
struct AdamRule {
  static constexpr bool kHasSecond = true;

  explicit constexpr AdamRule(const SgdSettings& settings)
      : one_minus_beta1(settings.one_minus_beta1),
        beta2(settings.beta2),
        one_minus_beta2(settings.one_minus_beta2),
        inverse_root_correction2(settings.inverse_root_correction2),
        epsilon(settings.epsilon) {}
  constexpr float direction(const NodeStep& s, float z, float& momentum, float& second, float gradient) const {
    const float g = std::fma(s.weight_decay, z, gradient);
    momentum = std::fma(s.momentum, momentum, one_minus_beta1 * g);
    second = std::fma(beta2, second, one_minus_beta2 * (g * g));
    return momentum / std::fma(std::sqrt(second), inverse_root_correction2, epsilon);
  }

  float one_minus_beta1, beta2, one_minus_beta2, inverse_root_correction2, epsilon;
};

}  // namespace sparsepush
