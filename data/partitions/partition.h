// Which node gets which training samples.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "data/data_config.h"
#include "data/sets/dataset.h"

namespace sparsepush {

/// samples[i] = rows of the training set that node i owns.
using Partition = std::vector<std::vector<std::int32_t>>;

/// Shuffled equal shares.
Partition partition_iid(int samples, int nodes, std::uint64_t seed);

/// Per class, the first floor(skew * class size) samples go to a class-ordered pool, the rest to a shuffled pool; node
/// i takes the i-th N-th share of both pools, the ordered one contiguously. skew in [0, 1]; 0 is `partition_iid`'s
/// distribution.
Partition partition_skew(std::span<const std::uint8_t> labels, int classes, int nodes, double skew, std::uint64_t seed);

/// Per class, the shares of the nodes are drawn from a symmetric Dirichlet distribution with concentration alpha > 0;
/// differently in each `attempt`.
Partition partition_dirichlet(std::span<const std::uint8_t> labels, int classes, int nodes, double alpha,
                              std::uint64_t seed, int attempt = 0);

/// Samples sorted by class and within a class by index are cut into nodes * shards pieces, of which each node gets
/// `shards` at random. At most as many pieces as samples.
Partition partition_shards(std::span<const std::uint8_t> labels, int classes, int nodes, int shards,
                           std::uint64_t seed);

/// Shuffled samples, of which the nodes have shares from a symmetric Dirichlet distribution with concentration alpha >
/// 0; differently in each `attempt`.
Partition partition_quantity(int samples, int nodes, double alpha, std::uint64_t seed, int attempt = 0);

/// Each sample to its owner. Throws InputError about an owner that is no node.
Partition partition_by_owner(std::span<const std::int64_t> owner, int nodes);

/// What data.partition can be.
struct PartitionRule {
  std::string_view name;
  std::vector<std::string_view> keys = {};  ///< that count for it
  bool is_redrawn = false;                  ///< may be attempted again
  /// Needs the labels of the set, not its bytes.
  std::function<Partition(const DataConfig&, const Dataset&, int nodes, std::uint64_t seed, int attempt)> divide;
};
const std::vector<PartitionRule>& partition_rules();

/// Divides the training set by the rule that `data` names, such that every node has data.min_samples: by the first of
/// 100 attempts that does, or else by attempt 0 after `mend`. Throws InputError that names the first node that has too
/// few where the rule is not drawn, or there are too few samples for all.
Partition divide_samples(const DataConfig& data, const Dataset& set, int nodes, std::uint64_t seed);

/// While a node has fewer than `least` samples, the lowest first, the node with the most (the lowest of several) gives
/// it its last one.
void mend(Partition& partition, int least);

/// counts[i * classes + c] = samples of class c that node i owns.
std::vector<std::int64_t> class_histogram(const Partition& partition, std::span<const std::uint8_t> labels,
                                          int classes);

}  // namespace sparsepush
