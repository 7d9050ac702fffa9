// The SGD step of a quad on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include <cstdint>

#include "kernels/backend/float_bits.h"
#include "kernels/backend/quad.h"
#include "kernels/nodes/sgd_element.h"

namespace sparsepush {

/// One node's rows.
struct SgdRow {
  const float* x;
  float* momentum;
  const float* gradient;
};

/// Takes the step of a quad, whose padding stays as it is: renews its momentum, returns its new x.
template <bool kNesterov>
__device__ Quad step_quad(const NodeStep& s, const SgdRow& row, std::int64_t quad, int live) {
  Quad x = load_quad(row.x, quad), momentum = load_quad(row.momentum, quad);
  const Quad gradient = load_quad(row.gradient, quad);
  for_each_lane(live, [&](int lane) {
    x.lane[lane] = sgd_step<kNesterov>(s, x.lane[lane], momentum.lane[lane], gradient.lane[lane]);
  });
  store_quad(momentum, row.momentum, quad);
  return x;
}

__device__ inline bool is_finite(const Quad& quad) {
  bool finite = true;
  for_each_lane(4, [&](int lane) { finite &= is_finite(quad.lane[lane]); });
  return finite;
}

}  // namespace sparsepush
