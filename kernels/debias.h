// How push-sum numerators become parameters.
#pragma once

namespace sparsepush {

/// r of z = x * r, which replaces a division by u: the same on every backend.
constexpr float debias_factor(double u) { return static_cast<float>(1.0 / u); }

}  // namespace sparsepush
