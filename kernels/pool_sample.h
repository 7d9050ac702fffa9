// One sample of the pooling ops on the Cpu.
#pragma once
#include <cstdint>

#include "kernels/multiversion.h"
#include "kernels/pool.h"

namespace sparsepush {

void pool_sample_forward(const PoolForward& forward, std::int64_t sample, VectorLevel level = vector_level());
void pool_sample_backward(const PoolBackward& backward, std::int64_t sample, VectorLevel level = vector_level());

}  // namespace sparsepush
