#include "data/partitions/partition.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "data/files/input_error.h"
#include "data/partitions/partition_file.h"
#include "data/table.h"
#include "kernels/backend/check.h"
#include "kernels/backend/random.h"

namespace sparsepush {
namespace {

using Samples = std::vector<std::int32_t>;

constexpr int kMostAttempts = 100;
constexpr std::uint64_t kStepsAnAttempt = 65'536;  // more than a set has classes

Draw partition_draw(std::uint64_t seed) { return {.seed = seed, .purpose = Purpose::kPartition}; }

/// Returns the samples in a random order, which `step` tells from the other orders of a partition.
Samples shuffled(const Samples& samples, std::uint64_t seed, std::uint64_t step) {
  Draw draw = partition_draw(seed);
  draw.step = step;
  Samples order(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i)
    order[i] =
        samples[random_permutation(draw, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(samples.size()))];
  return order;
}

Samples all_samples(int count) {
  Samples samples(count);
  std::iota(samples.begin(), samples.end(), 0);
  return samples;
}

/// Appends share number `share` of `shares` equal contiguous shares of the pool.
void append_share(Samples& to, const Samples& pool, int share, int shares) {
  const auto bound = [&](std::int64_t s) { return pool.begin() + s * static_cast<std::int64_t>(pool.size()) / shares; };
  to.insert(to.end(), bound(share), bound(share + 1));
}

/// Sorts samples by class: result[c] are the samples of class c in order.
std::vector<Samples> by_class(std::span<const std::uint8_t> labels, int classes) {
  std::vector<Samples> samples_of(classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CHECK(labels[i] < classes, "sample ", i, " of class ", static_cast<int>(labels[i]), ", classes ", classes);
    samples_of[labels[i]].push_back(static_cast<std::int32_t>(i));
  }
  return samples_of;
}

/// Draws the logarithm of a Gamma(alpha, 1) variable, which for small alpha is itself below the smallest double.
/// Marsaglia and Tsang 2000 (doi 10.1145/358407.358414), with their reduction of alpha < 1 to alpha + 1.
double log_gamma_variable(double alpha, Draw draw) {
  const auto uniform = [&draw] { return 1 - (++draw.index, random_uniform(draw)); };  // in (0, 1]
  const double boost = alpha < 1 ? std::log(uniform()) / alpha : 0.0;
  const double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double radius = std::sqrt(-2 * std::log(uniform())), angle = 2 * std::numbers::pi * uniform();
    const double normal = radius * std::cos(angle), root = 1 + c * normal;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(uniform()) < 0.5 * normal * normal + d - d * v + d * std::log(v)) return std::log(d * v) + boost;
  }
}

/// Draws the shares of the nodes, which sum to 1.
std::vector<double> dirichlet_shares(int nodes, double alpha, std::uint64_t seed, std::uint64_t step) {
  std::vector<double> share(nodes);
  Draw draw = partition_draw(seed);
  draw.step = step;
  for (int node = 0; node < nodes; ++node) {
    draw.node = static_cast<std::uint64_t>(node);
    share[node] = log_gamma_variable(alpha, draw);
  }
  const double greatest = *std::ranges::max_element(share);
  double sum = 0;
  for (double& s : share) sum += s = std::exp(s - greatest);
  for (double& s : share) s /= sum;
  return share;
}

/// Appends a share of the pool to each node; the last takes the rest.
void append_shares(Partition& partition, const Samples& pool, const std::vector<double>& share) {
  const auto size = std::ssize(pool);
  double sum = 0;
  std::int64_t begin = 0;
  for (std::size_t node = 0; node < partition.size(); ++node) {
    sum += share[node];
    const bool is_last = node + 1 == partition.size();
    const std::int64_t end =
        is_last ? size
                : std::min<std::int64_t>(size, static_cast<std::int64_t>(std::floor(sum * static_cast<double>(size))));
    partition[node].insert(partition[node].end(), pool.begin() + begin, pool.begin() + end);
    begin = end;
  }
}

}  // namespace

Partition partition_iid(int samples, int nodes, std::uint64_t seed) {
  CHECK(samples >= 0 && nodes >= 1, "samples ", samples, ", nodes ", nodes);
  const Samples pool = shuffled(all_samples(samples), seed, 0);
  Partition partition(nodes);
  for (int node = 0; node < nodes; ++node) append_share(partition[node], pool, node, nodes);
  return partition;
}

Partition partition_skew(std::span<const std::uint8_t> labels, int classes, int nodes, double skew,
                         std::uint64_t seed) {
  CHECK(nodes >= 1 && skew >= 0 && skew <= 1, "nodes ", nodes, ", skew ", skew);
  Samples ordered, rest;
  for (const Samples& samples : by_class(labels, classes)) {
    const auto cut =
        samples.begin() + static_cast<std::int64_t>(std::floor(skew * static_cast<double>(samples.size())));
    ordered.insert(ordered.end(), samples.begin(), cut);
    rest.insert(rest.end(), cut, samples.end());
  }
  std::ranges::sort(rest);  // so that skew = 0 is partition_iid
  rest = shuffled(rest, seed, 0);
  Partition partition(nodes);
  for (int node = 0; node < nodes; ++node) {
    append_share(partition[node], ordered, node, nodes);
    append_share(partition[node], rest, node, nodes);
  }
  return partition;
}

Partition partition_dirichlet(std::span<const std::uint8_t> labels, int classes, int nodes, double alpha,
                              std::uint64_t seed, int attempt) {
  CHECK(nodes >= 1 && alpha > 0, "nodes ", nodes, ", alpha ", alpha);
  const std::vector<Samples> samples_of = by_class(labels, classes);
  Partition partition(nodes);
  for (int c = 0; c < classes; ++c) {
    const std::uint64_t step = 1 + c + kStepsAnAttempt * static_cast<std::uint64_t>(attempt);
    append_shares(partition, shuffled(samples_of[c], seed, step), dirichlet_shares(nodes, alpha, seed, step));
  }
  return partition;
}

Partition partition_shards(std::span<const std::uint8_t> labels, int classes, int nodes, int shards,
                           std::uint64_t seed) {
  const std::int64_t pieces = std::int64_t{nodes} * shards;
  if (pieces > std::ssize(labels))
    throw InputError("data.shards: expected run.nodes * shards <= {}, the training samples; got {} * {}", labels.size(),
                     nodes, shards);
  Samples ordered;
  for (const Samples& samples : by_class(labels, classes))
    ordered.insert(ordered.end(), samples.begin(), samples.end());
  Partition partition(nodes);
  for (std::int64_t i = 0; i < pieces; ++i) {
    const std::uint32_t piece =
        random_permutation(partition_draw(seed), static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(pieces));
    append_share(partition[i / shards], ordered, static_cast<int>(piece), static_cast<int>(pieces));
  }
  return partition;
}

Partition partition_quantity(int samples, int nodes, double alpha, std::uint64_t seed, int attempt) {
  CHECK(samples >= 0 && nodes >= 1 && alpha > 0, "samples ", samples, ", nodes ", nodes, ", alpha ", alpha);
  const std::uint64_t step = kStepsAnAttempt * static_cast<std::uint64_t>(attempt);
  Partition partition(nodes);
  append_shares(partition, shuffled(all_samples(samples), seed, step), dirichlet_shares(nodes, alpha, seed, step + 1));
  return partition;
}

Partition partition_by_owner(std::span<const std::int64_t> owner, int nodes) {
  if (owner.empty())
    throw InputError(
        "data.partition: \"file\" needs data.partition_file, or a tensor train_node in data.file, which has none");
  Partition partition(nodes);
  for (std::size_t i = 0; i < owner.size(); ++i) {
    if (owner[i] < 0 || owner[i] >= nodes)
      throw InputError("data.file: train_node: sample {}, counted from 0, belongs to node {}; run.nodes is {}", i,
                       owner[i], nodes);
    partition[owner[i]].push_back(static_cast<std::int32_t>(i));
  }
  return partition;
}

const std::vector<PartitionRule>& partition_rules() {
  static const std::vector<PartitionRule> table = {
      {.name = "iid",
       .divide = [](const DataConfig&, const Dataset& set, int nodes, std::uint64_t seed,
                    int) { return partition_iid(set.train.count, nodes, seed); }},
      {.name = "skew",
       .keys = {"data.skew"},
       .divide = [](const DataConfig& data, const Dataset& set, int nodes, std::uint64_t seed,
                    int) { return partition_skew(set.train.label, set.classes, nodes, data.skew, seed); }},
      {.name = "dirichlet",
       .keys = {"data.alpha"},
       .is_redrawn = true,
       .divide =
           [](const DataConfig& data, const Dataset& set, int nodes, std::uint64_t seed, int attempt) {
             return partition_dirichlet(set.train.label, set.classes, nodes, data.alpha, seed, attempt);
           }},
      {.name = "quantity",
       .keys = {"data.alpha"},
       .is_redrawn = true,
       .divide = [](const DataConfig& data, const Dataset& set, int nodes, std::uint64_t seed,
                    int attempt) { return partition_quantity(set.train.count, nodes, data.alpha, seed, attempt); }},
      {.name = "shards",
       .keys = {"data.shards"},
       .divide = [](const DataConfig& data, const Dataset& set, int nodes, std::uint64_t seed,
                    int) { return partition_shards(set.train.label, set.classes, nodes, data.shards, seed); }},
      {.name = "file",
       .keys = {"data.partition_file"},
       .divide =
           [](const DataConfig& data, const Dataset& set, int nodes, std::uint64_t, int) {
             return data.partition_file.empty() ? partition_by_owner(set.owner, nodes)
                                                : read_partition_file(data.partition_file, set.train.count, nodes);
           }},
  };
  return table;
}

void mend(Partition& partition, int least) {
  const auto rank = [&](std::size_t node) { return std::pair(-std::ssize(partition[node]), node); };
  std::set<std::pair<std::ptrdiff_t, std::size_t>> largest;
  for (std::size_t node = 0; node < partition.size(); ++node) largest.insert(rank(node));
  for (std::size_t node = 0; node < partition.size(); ++node) {
    largest.erase(rank(node));
    while (std::ssize(partition[node]) < least) {
      const std::size_t giver = largest.begin()->second;
      largest.erase(largest.begin());
      partition[node].push_back(partition[giver].back());
      partition[giver].pop_back();
      largest.insert(rank(giver));
    }
    largest.insert(rank(node));
  }
}

Partition divide_samples(const DataConfig& data, const Dataset& set, int nodes, std::uint64_t seed) {
  const PartitionRule& rule = row_named(partition_rules(), "data.partition", data.partition);
  const auto poor = [&](const Partition& partition) {
    return std::ranges::find_if(partition, [&](const auto& own) { return std::ssize(own) < data.min_samples; });
  };
  Partition first = rule.divide(data, set, nodes, seed, 0);
  const auto node = poor(first);
  if (node == first.end()) return first;
  const bool enough = std::int64_t{nodes} * data.min_samples <= set.train.count;
  if (!rule.is_redrawn || !enough)
    throw InputError(
        "data.partition: node {} of {} has {} training samples; data.min_samples is {}: use fewer nodes, a less skewed "
        "partition, or data.min_samples = 0 for nodes without data",
        node - first.begin(), nodes, node->empty() ? "no" : std::to_string(node->size()), data.min_samples);
  for (int attempt = 1; attempt < kMostAttempts; ++attempt) {
    Partition again = rule.divide(data, set, nodes, seed, attempt);
    if (poor(again) == again.end()) return again;
  }
  mend(first, data.min_samples);
  return first;
}

std::vector<std::int64_t> class_histogram(const Partition& partition, std::span<const std::uint8_t> labels,
                                          int classes) {
  std::vector<std::int64_t> counts(partition.size() * classes);
  for (std::size_t node = 0; node < partition.size(); ++node)
    for (const std::int32_t sample : partition[node]) ++counts[node * classes + labels[sample]];
  return counts;
}

}  // namespace sparsepush
