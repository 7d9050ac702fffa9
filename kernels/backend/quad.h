// Four neighbouring floats in one access of 16 bytes, for .cu files only.
#pragma once
#include <cuda_runtime.h>

#include <bit>
#include <cstdint>

namespace sparsepush {

struct alignas(16) Quad {
  float lane[4];
};

/// Calls body(lane) for the first `live` lanes; unrolled, so that quads stay in registers.
template <class Body>
__device__ void for_each_lane(int live, const Body& body) {
  for (int lane = 0; lane < 4; ++lane)
    if (lane < live) body(lane);
}

/// Loads the elements [4 i, 4 i + 4) of an array that is 16-byte aligned.
__device__ inline Quad load_quad(const float* array, std::int64_t i) {
  const float4 quad = reinterpret_cast<const float4*>(array)[i];  // GCC's AddressSanitizer sees no read in a bit_cast
  return std::bit_cast<Quad>(quad);
}
__device__ inline void store_quad(const Quad& quad, float* array, std::int64_t i) {
  reinterpret_cast<float4*>(array)[i] = std::bit_cast<float4>(quad);
}

}  // namespace sparsepush
