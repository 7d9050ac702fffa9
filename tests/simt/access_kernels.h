// Kernels whose accesses are known, for the test of memory_traffic.h. Each function launches one.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"

namespace sparsepush {

/// A thread per element: to[i] = from[first + i * stride].
void copy_strided(const Cuda& gpu, std::span<const float> from, std::span<float> to, int first, int stride);
/// A thread per element: to[i] = from[0] + from[i].
void add_first(const Cuda& gpu, std::span<const float> from, std::span<float> to);
/// A thread per 4 elements, as one access; or per 2.
void copy_quads(const Cuda& gpu, std::span<const float> from, std::span<float> to);
void copy_pairs(const Cuda& gpu, std::span<const double> from, std::span<double> to);
/// A block of one warp. Lane i adds up the first count[i] rows of its column.
void sum_columns(const Cuda& gpu, std::span<const float> rows, std::span<const std::int32_t> count,
                 std::span<float> to);
/// One block of 256 threads: to[i] = from[i] - the sum of the thread's elements, which are read twice.
void subtract_sums(const Cuda& gpu, std::span<const float> from, std::span<float> to);
/// One block of 256 threads writes to shared memory and to locals, and one float of the GPU's.
void use_other_memory(const Cuda& gpu, float* to);
/// A thread per element adds it to *to.
void add_atomically(const Cuda& gpu, std::span<const float> from, float* to);

}  // namespace sparsepush
