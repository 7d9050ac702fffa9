#include "kernels/nodes/step_clock.h"

#include <algorithm>

namespace sparsepush {

void end_step(const Cpu&, std::span<const std::uint8_t> diverged, int rounds, StepClock* clock) {
  ++clock->step;
  clock->round += rounds;
  const auto first = std::ranges::find_if(diverged, [](std::uint8_t flag) { return flag != 0; });
  if (clock->diverged_step != 0 || first == diverged.end()) return;
  clock->diverged_step = clock->step;
  clock->diverged_row = first - diverged.begin();
}

}  // namespace sparsepush
