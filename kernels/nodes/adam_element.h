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
      : gradient_share(settings.gradient_share),
        beta2(settings.beta2),
        square_share(settings.square_share),
        inverse_root_share(settings.inverse_root_share),
        least_root(settings.least_root) {}
  constexpr float direction(const NodeStep& s, float z, float& momentum, float& second, float gradient) const {
    const float g = std::fma(s.weight_decay, z, gradient);
    momentum = std::fma(s.momentum, momentum, gradient_share * g);
    second = std::fma(beta2, second, square_share * (g * g));
    return momentum / std::fma(std::sqrt(second), inverse_root_share, least_root);
  }

  float gradient_share, beta2, square_share, inverse_root_share, least_root;
};

}  // namespace sparsepush
