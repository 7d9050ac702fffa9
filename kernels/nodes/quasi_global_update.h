// One step of SGD with quasi-global momentum on the push-sum numerators of all nodes.
#pragma once
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {

/// Arguments of `quasi_global_update`.
struct QuasiGlobalUpdate {
  SgdUpdate sgd;             ///< `nesterov` does not count
  MatrixView<float> last_z;  ///< [nodes, row] z of the last step; any where inverse_lr is 0
};

/// Takes a step whose momentum follows what z has done since the last step, mixing included. With z and g of
/// `sgd_update`, every product, sum and fma rounded once:
///   m = fma(beta, m, inverse_lr * (last_z - z)); last_z = z; s = fma(beta, m, g);
///   x = fma(-lr, s, x), and e likewise where there are steps.
/// Backends agree exactly (NaN payloads aside).
void quasi_global_update(const Cpu&, const RowLayout& layout, const QuasiGlobalUpdate& update);
void quasi_global_update(const Cuda& gpu, const CudaLayout& layout, const QuasiGlobalUpdate& update);

/// Checks the shapes above.
void check_quasi_global_update_shapes(const RowLayout& layout, const QuasiGlobalUpdate& update);

}  // namespace sparsepush
