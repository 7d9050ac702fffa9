// One step of SGD with momentum on the push-sum numerators of all nodes.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/nodes/cuda_layout.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// What one replica's step is taken with; computed in double and rounded once.
struct SgdSettings {
  float lr = 0;
  float momentum = 0;
  float weight_decay = 0;
  float inverse_lr = 0;                             ///< of quasi_global_update
  float one_minus_beta1 = 0;                        ///< this and what follows: of adam_update
  float beta2 = 0, one_minus_beta2 = 0;             ///< what second moments keep, and what they take of a square
  float inverse_root_correction2 = 0, epsilon = 0;  ///< k and epsilon
  friend bool operator==(const SgdSettings&, const SgdSettings&) = default;
};

/// Arguments of `sgd_update`. Rows are replica-major: row i belongs to replica i / (nodes / replicas).
struct SgdUpdate {
  MatrixView<float> x;                    ///< [nodes, row] push-sum numerators
  MatrixView<float> momentum;             ///< [nodes, row]
  MatrixView<const float> gradient;       ///< [nodes, row] at z = x / u
  std::span<const double> u;              ///< [nodes] push-sum weights
  std::span<const SgdSettings> settings;  ///< [replicas]
  bool nesterov = false;
  std::span<std::uint8_t> diverged;  ///< [nodes] set to 1 where a new x (or v = x + e) is not finite, else left alone
  MatrixView<const float> z = {};    ///< [nodes, row] where z stands in memory, u being 1; else x / u
  MatrixView<float> steps = {};      ///< [nodes, row] takes every step that x takes; may be none

  /// Returns the row that times (float)(1.0 / u) is z.
  constexpr const float* z_row(std::int64_t node) const { return z.data ? z.row(node) : x.row(node); }
};

/// Takes a step of SGD. With r = (float)(1.0 / u), z = x * r, and every fma rounding once:
///   g = fma(wd, z, g); m = fma(beta, m, g); s = nesterov ? fma(beta, m, g) : m; x = fma(-lr, s, x);
///   where there are steps, e = fma(-lr, s, e).
/// Ops that contain the step take neither z nor steps. Every line is executed even when wd or beta is 0. Backends agree
/// exactly (NaN payloads aside).
void sgd_update(const Cpu&, const RowLayout& layout, const SgdUpdate& update);
void sgd_update(const Cuda& gpu, const CudaLayout& layout, const SgdUpdate& update);

/// Checks the shapes above.
void check_sgd_update_shapes(const RowLayout& layout, const SgdUpdate& update);

}  // namespace sparsepush
