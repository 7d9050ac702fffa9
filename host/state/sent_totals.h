// What all nodes have sent so far, over all shards.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "host/state/nodes.h"

namespace sparsepush {

/// Totals by count and replica: [kSentCounts][replicas].
using SentTotals = std::array<std::vector<std::int64_t>, kSentCounts>;

/// Adds up the counts of the nodes of each replica. Collective.
template <class Backend>
SentTotals gather_sent(Nodes<Backend>& nodes) {
  const Shard& shard = nodes.shard;
  const std::vector<std::int64_t> counts = nodes.sent.to_host();
  SentTotals totals;
  for (int c = 0; c < kSentCounts; ++c) {
    // Transports pass doubles on as they are, whatever their bits mean.
    std::vector<double> local, all(shard.all_rows());
    for (int row = 0; row < shard.rows(); ++row)
      local.push_back(std::bit_cast<double>(counts[static_cast<std::size_t>(c) * shard.rows() + row]));
    nodes.transport.gather(local, all);
    totals[c].assign(shard.replicas, 0);
    for (int row = 0; row < shard.all_rows(); ++row)
      totals[c][row / shard.all_nodes] += std::bit_cast<std::int64_t>(all[row]);
  }
  return totals;
}

}  // namespace sparsepush
