// What each shard of a run holds, and what a round brings from one to another.
#pragma once
#include <cstdint>
#include <string>

#include "host/state/experiment.h"
#include "models/shard.h"

namespace sparsepush {

/// Returns the bytes of a row of all arrays that travel with the message of a round, as packets hold them; 0 where the
/// method sends none along edges.
std::int64_t message_row_bytes(const Experiment& experiment);

/// Returns the bytes of the largest packet that processes make of any row of a run: larger rows of the Cpu travel
/// without.
template <class Backend>
std::int64_t largest_packet_bytes(const Experiment& experiment);

/// What a shard exchanges with the others in a round, as a mean over some rounds.
struct ShardTraffic {
  double sent_rows = 0, received_rows = 0;  ///< each once for every other shard
  double crossing_edges = 0;                ///< that lead from other shards to this one
  std::int64_t row_bytes = 0;               ///< message_row_bytes
};

/// Counts the traffic of one shard, over the rounds of a period or the first ones.
ShardTraffic shard_traffic(const Experiment& experiment, const Shard& shard);

/// Describes all shards of a run, a line each: nodes, memory if it is a process of its own, rows and bytes that a round
/// moves, edges that cross.
template <class Backend>
std::string describe_shards(const Experiment& experiment);

}  // namespace sparsepush
