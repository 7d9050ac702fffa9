// How push-sum numerators become parameters.
#pragma once
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Returns r of z = x * r, which replaces a division by u: the same on every backend.
constexpr float debias_factor(double u) { return static_cast<float>(1.0 / u); }

/// De-biases: z_i = x_i * debias_factor(u_i) for all nodes; x, z: [nodes, row] with row a multiple of 4, u: [nodes].
/// For those who want z in memory; others multiply where they load x. Backends agree exactly (NaN payloads aside).
void debias(const Cpu& cpu, MatrixView<const float> x, std::span<const double> u, MatrixView<float> z);
void debias(const Cuda& gpu, MatrixView<const float> x, std::span<const double> u, MatrixView<float> z);

/// Checks the shapes above.
void check_debias_shapes(MatrixView<const float> x, std::span<const double> u, MatrixView<const float> z);

}  // namespace sparsepush
