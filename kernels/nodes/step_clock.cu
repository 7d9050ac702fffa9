#include <algorithm>
#include <limits>

#include "kernels/backend/cuda_launch.h"
#include "kernels/nodes/step_clock.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 1024;  // one block reads one byte a node

/// One block a replica; threads take its flags in turn, and the least flagged row of each is compared.
__global__ void end_step_kernel(std::span<const std::uint8_t> diverged, int rounds, std::span<StepClock> clocks) {
  constexpr auto kNone = std::numeric_limits<int>::max();
  __shared__ int first;
  if (threadIdx.x == 0) first = kNone;
  __syncthreads();
  const int nodes = static_cast<int>(diverged.size() / clocks.size()), begin = static_cast<int>(blockIdx.x) * nodes;
  int mine = kNone;  // looks at all flags, because a thread that stopped at one would wait for each
  for (int i = begin + static_cast<int>(threadIdx.x); i < begin + nodes; i += kThreads)
    if (diverged[i] != 0) mine = std::min(mine, i);
  if (mine != kNone) atomicMin(&first, mine);
  __syncthreads();
  if (threadIdx.x != 0) return;
  StepClock& clock = clocks[blockIdx.x];
  clock.step += 1;
  clock.round += rounds;
  if (clock.diverged_step != 0 || first == kNone) return;
  clock.diverged_step = clock.step;
  clock.diverged_row = first;
}

}  // namespace

void end_step(const Cuda& gpu, std::span<const std::uint8_t> diverged, int rounds, std::span<StepClock> clocks) {
  check_end_step_shapes(diverged, clocks);
  launch(gpu, {.blocks = static_cast<int>(clocks.size()), .threads = kThreads}, end_step_kernel, diverged, rounds,
         clocks);
}

}  // namespace sparsepush
