// Wide accesses to arrays in a GPU's memory, for .cu files only; the simulator's twin in tests/simt/kernels/backend/
// counts their bytes.
#pragma once
#include "kernels/backend/quad.h"

namespace sparsepush {

/// Two neighbouring floats in one access of 8 bytes.
struct alignas(8) Pair {
  float lane[2];
};

/// Reads or writes four floats from `first` on, which is a multiple of 16 bytes, or two, from a multiple of 8 on.
__device__ inline Quad read_quad(const float* first) { return load_quad(first, 0); }
__device__ inline void write_quad(const Quad& quad, float* first) { store_quad(quad, first, 0); }
__device__ inline Pair read_pair(const float* first) { return *reinterpret_cast<const Pair*>(first); }
__device__ inline void write_pair(const Pair& pair, float* first) { *reinterpret_cast<Pair*>(first) = pair; }

}  // namespace sparsepush
