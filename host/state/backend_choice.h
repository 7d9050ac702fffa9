// Which backend a run takes, and what it has.
#pragma once
#include <cstdint>
#include <string>

#include "data/memory_plan.h"
#include "host/config/config.h"
#include "kernels/backend/backend.h"

namespace sparsepush {

/// Returns "cpu" or "cuda" for run.backend = "cpu", "cuda" or "auto", which takes a GPU if one works. Throws InputError
/// if a GPU is wanted and none works, or where the backend does not have the precision or the code of convolutions.
std::string choose_backend(const Config& config, int device = 0);

/// Throws InputError if run.precision or run.convolution counts and the backend, which runs because of `why`, does not
/// have it.
template <class Backend>
void check_products(const Config& config, const std::string& why);

/// What a shard takes of its machine.
struct ShardPlace {
  int threads = 1;    ///< of the CPU
  int device = 0;     ///< number of the GPU
  int processes = 1;  ///< that take this GPU
};

/// Opens the backend of one shard.
template <class Backend>
Backend open_backend(const ShardPlace& place);

/// Describes the backend of all shards, such as "cpu, 2 threads" or "cuda, NVIDIA H100 80GB HBM3, tf32, cuDNN".
template <class Backend>
std::string describe_backend(const Config& config, const ShardPlace& place);

/// Throws InputError if the plan does not fit into what is free now, on that GPU.
template <class Backend>
void check_memory_fits(const MemoryPlan& plan, int device = 0);

}  // namespace sparsepush
