// The SGD step of a quad on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include <cstdint>

#include "kernels/backend/quad.h"
#include "kernels/nodes/sgd_element.h"

namespace sparsepush {

/// The step of a quad of one node's row, whose padding stays as it is; returns its new x.
template <bool kNesterov>
__device__ Quad step_quad(const NodeStep& s, float* x, float* momentum, const float* gradient, std::int64_t quad,
                          int live) {
  Quad next = load_quad(x, quad), m = load_quad(momentum, quad);
  const Quad g = load_quad(gradient, quad);
  for_each_lane(live, [&](int lane) {
    next.lane[lane] = step_element<kNesterov>(s, next.lane[lane], m.lane[lane], g.lane[lane]);
  });
  store_quad(next, x, quad);
  store_quad(m, momentum, quad);
  return next;
}

__device__ inline bool is_finite(float x) { return (magnitude_key(x) & 0x7f80'0000u) != 0x7f80'0000u; }

__device__ inline bool is_finite(const Quad& quad) {
  bool finite = true;
  for_each_lane(4, [&](int lane) { finite &= is_finite(quad.lane[lane]); });
  return finite;
}

}  // namespace sparsepush
