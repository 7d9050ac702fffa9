// Nodes that each minimise a quadratic of their own: gradients and losses without data.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// f_i(z) = 1/2 sum_j h_ij (z_j - c_ij)^2. Padding elements of both arrays are +0.
struct QuadraticView {
  MatrixView<const float> curvature;      ///< [problems, row] h
  MatrixView<const float> target;         ///< [problems, row] c
  std::span<const std::int32_t> problem;  ///< [nodes] which row is a node's
};

/// Arguments of `quadratic_gradient`.
struct QuadraticGradient {
  QuadraticView objective;
  MatrixView<const float> x;   ///< [nodes, row] push-sum numerators, padding +0
  std::span<const double> u;   ///< [nodes] push-sum weights
  MatrixView<float> gradient;  ///< [nodes, row] written, padding +0
  std::span<double> loss;      ///< [nodes] in backend memory, += f_i(z_i)
};

/// Computes z = x * (float)(1.0 / u) and g = h * (z - c) in fp32, every operation rounding once. The loss is summed in
/// double from the floats h, z and c, coordinates in order: sum += h * (d * d) with d = z - c. Backends agree exactly
/// (NaN payloads aside).
void quadratic_gradient(const Cpu& cpu, const QuadraticGradient& step);
void quadratic_gradient(const Cuda& gpu, const QuadraticGradient& step);

/// Checks the shapes above.
void check_quadratic_gradient_shapes(const QuadraticGradient& step);

/// Arguments of `quadratic_loss`.
struct QuadraticLoss {
  QuadraticView objective;
  MatrixView<const float> x;   ///< [nodes, row] push-sum numerators, padding +0
  std::span<const double> u;   ///< [nodes] push-sum weights
  std::span<const int> nodes;  ///< which nodes to evaluate, in host memory
  std::span<double> loss;      ///< [nodes to evaluate] in host memory
};

/// Computes loss[i] = f_k(z_k) as above of node k = nodes[i]. Backends agree exactly.
void quadratic_loss(const Cpu& cpu, const QuadraticLoss& at);
void quadratic_loss(const Cuda& gpu, const QuadraticLoss& at);

/// Checks the shapes above, and that the nodes exist.
void check_quadratic_loss_shapes(const QuadraticLoss& at);

/// Computes loss[i] = f_k(point) of node k = first_node + i, all at one point [row] that is not rounded to float; point
/// and loss are in host memory. Backends agree exactly.
void quadratic_loss_at(const Cpu& cpu, const QuadraticView& objective, std::span<const double> point, int first_node,
                       std::span<double> loss);
void quadratic_loss_at(const Cuda& gpu, const QuadraticView& objective, std::span<const double> point, int first_node,
                       std::span<double> loss);

/// Checks the shapes above.
void check_quadratic_loss_at_shapes(const QuadraticView& objective, std::span<const double> point, int first_node,
                                    std::span<double> loss);

}  // namespace sparsepush
