// Matrix products on tensor cores and copies that go on beside them, for .cu files only. All that is in PTX stands
// here; tests/simt/kernels/backend/ has a twin for the simulator.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

namespace sparsepush {

/// Adds sum [16, 8] += a [16, 8] b [8, 8] in TF32, by the 32 lanes of a warp together; sums are in fp32, in an order of
/// the hardware's own. What a and b hold must be TF32 (tf32.h). With g = lane / 4 and t = lane % 4, a lane has
///   sum  (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
///   a    (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)
///   b    (t, g), (t + 4, g)
__device__ inline void multiply_add_tf32(float (&sum)[4], const float (&a)[4], const float (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
        "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

/// Reads from shared memory what the lane's next product takes. The lanes of a warp read at once, and in one turn if no
/// two of them want different words of one bank.
__device__ inline float load_fragment(const float* shared) { return *shared; }

/// Begins to copy four floats to shared memory, or to fill it with zeros; both addresses are multiples of 16 bytes.
/// What stands there is undefined until this thread has waited, and for others until the next barrier after that.
__device__ inline void copy_quad_async(float* shared, const float* global, bool is_copied) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))),
               "l"(global), "r"(is_copied ? 16 : 0)
               : "memory");
}

/// Waits for all copies that this thread has begun.
__device__ inline void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

}  // namespace sparsepush
