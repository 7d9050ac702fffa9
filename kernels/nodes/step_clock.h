// How far the nodes of a shard are, kept where ops read it, so that recorded work needs no numbers from the host.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"

namespace sparsepush {

/// One a replica; all have the same step and round.
struct StepClock {
  std::int64_t step = 0;           ///< SGD steps done
  std::int64_t round = 0;          ///< rounds of gossip done
  std::int64_t diverged_step = 0;  ///< the first step, counted from 1, after which a row had diverged; 0: none so far
  std::int64_t diverged_row = 0;   ///< the first of those rows
};

/// Ends a step, and `rounds` (0 or 1) rounds with it: counts them, and notes the first divergence of each replica.
/// clocks: [replicas]; diverged: [replicas * nodes], replica-major, not 0 where a row is out of bounds. All in backend
/// memory. Backends agree exactly.
void end_step(const Cpu& cpu, std::span<const std::uint8_t> diverged, int rounds, std::span<StepClock> clocks);
void end_step(const Cuda& gpu, std::span<const std::uint8_t> diverged, int rounds, std::span<StepClock> clocks);
void check_end_step_shapes(std::span<const std::uint8_t> diverged, std::span<StepClock> clocks);

}  // namespace sparsepush
