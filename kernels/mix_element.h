// One element of dense mixing on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include "kernels/cuda_launch.h"
#include "kernels/quad.h"
#include "kernels/round_edges.h"

namespace sparsepush {

__device__ inline float scale_and_add(float weight, float a, float b) { return __fmaf_rn(weight, a, b); }
__device__ inline Quad scale_and_add(float weight, const Quad& a, const Quad& b) {
  Quad sum;
  for (int lane = 0; lane < 4; ++lane) sum.lane[lane] = __fmaf_rn(weight, a.lane[lane], b.lane[lane]);
  return sum;
}

/// `node`'s element or quad after the round, where before(slot) is the slot's before it.
template <class Before>
__device__ auto mixed_element(const RoundEdges& edges, std::int64_t node, const Before& before) {
  const auto own = before(node);
  auto x = scale_and_add(edges.self_weight[node], own, own);
  for (std::int64_t e = edges.begin[node]; e < edges.begin[node + 1]; ++e)
    x = scale_and_add(edges.weight[e], before(edges.slot[e]), x);
  return x;
}

}  // namespace sparsepush
