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

/// Divides the samples, shuffled, into equal shares.
Partition partition_iid(int samples, int nodes, std::uint64_t seed);

/// Takes the first floor(skew * class size) samples of each class into a class-ordered pool, the rest into a shuffled
/// pool; node i gets the i-th of N equal shares of both pools, the ordered one contiguously. skew in [0, 1]; 0 gives
/// the same as `partition_iid`.
Partition partition_skew(std::span<const std::uint8_t> labels, int classes, int nodes, double skew, std::uint64_t seed);

/// Divides each class by shares of the nodes that are drawn from a symmetric Dirichlet distribution with concentration
/// alpha > 0, differently in each `attempt`.
Partition partition_dirichlet(std::span<const std::uint8_t> labels, int classes, int nodes, double alpha,
                              std::uint64_t seed, int attempt = 0);

/// Sorts the samples by class, and within a class by index, and cuts them into nodes * shards pieces, of which each
/// node gets `shards` at random. Throws InputError if there are more pieces than samples.
Partition partition_shards(std::span<const std::uint8_t> labels, int classes, int nodes, int shards,
                           std::uint64_t seed);

/// Divides the samples, shuffled, by shares of the nodes that are drawn from a symmetric Dirichlet distribution with
/// concentration alpha > 0, differently in each `attempt`.
Partition partition_quantity(int samples, int nodes, double alpha, std::uint64_t seed, int attempt = 0);

/// Gives each sample to the node owner[sample]. Throws InputError where there are no owners, or one is no node.
Partition partition_by_owner(std::span<const std::int64_t> owner, int nodes);

/// A value of data.partition.
struct PartitionRule {
  std::string_view name;
  std::vector<std::string_view> keys = {};  ///< keys that count for it
  bool is_redrawn = false;                  ///< another attempt divides differently
  /// Divides the training samples of a set; needs its labels, not its bytes.
  std::function<Partition(const DataConfig&, const Dataset&, int nodes, std::uint64_t seed, int attempt)> divide;
};
/// Lists all values of data.partition.
const std::vector<PartitionRule>& partition_rules();

/// Divides the training set by the rule that `data` names, such that every node has data.min_samples: by the first of
/// 100 attempts that achieves it, or else by attempt 0 after `mend`. Throws InputError that names the first node with
/// too few samples where the rule draws nothing, or where there are too few samples for all.
Partition divide_samples(const DataConfig& data, const Dataset& set, int nodes, std::uint64_t seed);

/// Moves samples until every node has `least`: while a node has fewer, the lowest node first, the node with the most
/// (the lowest of several) gives it its last one.
void mend(Partition& partition, int least);

/// Counts samples by node and class: result[i * classes + c] are the samples of class c that node i owns.
std::vector<std::int64_t> class_histogram(const Partition& partition, std::span<const std::uint8_t> labels,
                                          int classes);

}  // namespace sparsepush
