#include "kernels/nodes/step_clock.h"

#include <algorithm>

#include "kernels/backend/check.h"

namespace sparsepush {

void check_end_step_shapes(std::span<const std::uint8_t> diverged, std::span<StepClock> clocks) {
  CHECK(!clocks.empty() && diverged.size() % clocks.size() == 0, "flags ", diverged.size(), ", clocks ", clocks.size());
}

void end_step(const Cpu&, std::span<const std::uint8_t> diverged, int rounds, std::span<StepClock> clocks) {
  check_end_step_shapes(diverged, clocks);
  const std::size_t nodes = diverged.size() / clocks.size();
  for (std::size_t replica = 0; replica < clocks.size(); ++replica) {
    StepClock& clock = clocks[replica];
    ++clock.step;
    clock.round += rounds;
    const auto flags = diverged.subspan(replica * nodes, nodes);
    const auto first = std::ranges::find_if(flags, [](std::uint8_t flag) { return flag != 0; });
    if (clock.diverged_step != 0 || first == flags.end()) continue;
    clock.diverged_step = clock.step;
    clock.diverged_row = static_cast<std::int64_t>(replica * nodes) + (first - flags.begin());
  }
}

}  // namespace sparsepush
