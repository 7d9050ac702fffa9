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

/// Per class, the shares of the nodes are drawn from a symmetric Dirichlet distribution with concentration alpha > 0.
Partition partition_dirichlet(std::span<const std::uint8_t> labels, int classes, int nodes, double alpha,
                              std::uint64_t seed);

/// What data.partition can be.
struct PartitionRule {
  std::string_view name;
  std::vector<std::string_view> keys = {};  ///< that count for it
  std::function<Partition(const DataConfig&, const Dataset&, int nodes, std::uint64_t seed)> divide;
};
const std::vector<PartitionRule>& partition_rules();

/// Throws InputError that names the first node without samples.
void check_every_node_has_samples(const Partition& partition);

/// counts[i * classes + c] = samples of class c that node i owns.
std::vector<std::int64_t> class_histogram(const Partition& partition, std::span<const std::uint8_t> labels,
                                          int classes);

}  // namespace sparsepush
