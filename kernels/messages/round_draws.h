// Where the random numbers of a round's messages come from.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/random.h"

namespace sparsepush {

/// In backend memory. Rows are replica-major; those of a replica are its nodes from `first_node` on.
struct RoundDraws {
  std::span<const std::uint64_t> seed;  ///< [replicas]
  const std::int64_t* round = nullptr;  ///< [1] number of the round
  int first_node = 0;

  /// Returns what the numbers of row `row` of `rows` are drawn from, with index 0.
  constexpr Draw of_row(std::int64_t row, std::int64_t rows) const {
    const std::int64_t nodes = rows / std::ssize(seed);
    return {.seed = seed[row / nodes],
            .purpose = Purpose::kCompress,
            .node = static_cast<std::uint64_t>(first_node + row % nodes),
            .step = static_cast<std::uint64_t>(*round)};
  }
};

}  // namespace sparsepush
