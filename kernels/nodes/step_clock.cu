#include <algorithm>
#include <limits>

#include "kernels/backend/cuda_launch.h"
#include "kernels/nodes/step_clock.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 1024;  // a single block reads one byte a node

/// One block; threads take flags in turn, and the least flagged row of each is compared.
__global__ void end_step_kernel(std::span<const std::uint8_t> diverged, int rounds, StepClock* clock) {
  constexpr auto kNone = std::numeric_limits<int>::max();
  __shared__ int first;
  if (threadIdx.x == 0) first = kNone;
  __syncthreads();
  int mine = kNone;  // looks at all flags, because a thread that stopped at one would wait for each
  for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(diverged.size()); i += kThreads)
    if (diverged[i] != 0) mine = std::min(mine, i);
  if (mine != kNone) atomicMin(&first, mine);
  __syncthreads();
  if (threadIdx.x != 0) return;
  clock->step += 1;
  clock->round += rounds;
  if (clock->diverged_step != 0 || first == kNone) return;
  clock->diverged_step = clock->step;
  clock->diverged_row = first;
}

}  // namespace

void end_step(const Cuda& gpu, std::span<const std::uint8_t> diverged, int rounds, StepClock* clock) {
  launch(gpu, {.blocks = 1, .threads = kThreads}, end_step_kernel, diverged, rounds, clock);
}

}  // namespace sparsepush
