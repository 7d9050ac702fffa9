#include "kernels/backend/cuda_launch.h"
#include "kernels/messages/round_values.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// A thread per entry, in strides of the grid.
__global__ void round_values_kernel(RoundValues round) {
  const std::int64_t most = round.messages.position.cols;
  for (std::int64_t i = grid_thread(); i < round.v.rows * most; i += grid_threads()) {
    const std::int64_t row = i / most, entry = i % most;
    if (entry >= round.entries[row]) continue;
    float& value = round.messages.value.row(row)[entry];
    const float rounded = round_to_bfloat16(value);
    round.v.row(row)[round.messages.position.row(row)[entry]] = value - rounded;
    value = rounded;
  }
}

}  // namespace

void round_values(const Cuda& gpu, const RoundValues& round) {
  check_round_values_shapes(round);
  const std::int64_t items = std::int64_t{round.v.rows} * round.messages.position.cols;
  if (items == 0) return;
  launch(gpu, thread_each(gpu, items, kThreads), round_values_kernel, round);
}

}  // namespace sparsepush
