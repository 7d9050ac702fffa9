// What one round moves between a shard and the others.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "models/shard.h"

namespace sparsepush {

/// Rows of so many bytes, all arrays together, travel between processes as they stand in a Cpu's memory: to pack them
/// would cost more.
inline constexpr std::int64_t kLargeRow = 1 << 16;

/// The rows that a shard receives and sends in a round, each once to each shard, whoever wants it there. Both lists are
/// ordered by the other shard, then by replica, then by node: what one shard sends stands as the other awaits it.
struct Halo {
  std::vector<NodeId> nodes;                 ///< [halo] remote in-neighbours
  std::vector<std::int32_t> sent;            ///< [sent] local rows that others receive
  std::vector<int> from, to;                 ///< [shards] how many of both are another shard's
  std::span<const std::int32_t> sent_there;  ///< `sent` in backend memory, where that has been uploaded
};

}  // namespace sparsepush
