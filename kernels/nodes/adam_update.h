// One step of Adam on the push-sum numerators of all nodes.
#pragma once
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {

/// Arguments of `adam_update`.
struct AdamUpdate {
  SgdUpdate sgd;                    ///< its momentum is the first moment; `nesterov` does not count
  MatrixView<float> second_moment;  ///< [nodes, row]
};

/// Takes a step of Adam. With z and g of `sgd_update`, lr being that of the step over 1 - beta^(t + 1), every product,
/// sum, root and quotient rounded once:
///   m = fma(beta, m, one_minus_beta1 * g); n = fma(beta2, n, one_minus_beta2 * (g * g));
///   s = m / fma(sqrt(n), inverse_root_correction2, epsilon); x = fma(-lr, s, x), and e likewise where there are steps.
/// Backends agree exactly (NaN payloads aside).
void adam_update(const Cpu&, const RowLayout& layout, const AdamUpdate& update);
void adam_update(const Cuda& gpu, const CudaLayout& layout, const AdamUpdate& update);

/// Checks the shapes above.
void check_adam_update_shapes(const RowLayout& layout, const AdamUpdate& update);

}  // namespace sparsepush
