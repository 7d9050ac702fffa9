// Everything about a run that is known before its first step: configuration, topology, data, model shape, schedule.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/memory_plan.h"
#include "data/partition.h"
#include "data/quadratic.h"
#include "host/config.h"
#include "host/nodes.h"
#include "host/schedule.h"
#include "host/topology.h"
#include "models/gradients.h"
#include "models/network.h"
#include "models/shard.h"

namespace sparsepush {

/// Immutable once prepared; shared by all shards.
class Experiment {
 public:
  /// Loads the data set, lays out the parameters and builds the topologies. Throws InputError.
  explicit Experiment(const Config& config);

  /// Divides the data among the nodes, or reads the problem; a step of its own, because the memory check comes before
  /// it.
  void prepare_data();

  const Config& config() const { return config_; }
  /// One per replica, or one that all share.
  const std::vector<Topology>& topologies() const { return topologies_; }
  const Schedule& schedule() const { return *schedule_; }
  const RowLayout& layout() const { return layout_; }
  const std::optional<Dataset>& dataset() const { return dataset_; }
  const std::optional<Network>& network() const { return network_; }
  const std::optional<QuadraticProblem>& problem() const { return problem_; }
  const std::vector<Partition>& partitions() const { return partitions_; }  ///< one per replica

  /// What the data set, its division and the gradients' scratch memory take; on the Cpu with `threads` threads a shard.
  template <class Backend>
  std::vector<PlannedArray> planned_data(int threads) const;

  /// partition.csv: samples and class histogram of each node; empty without data.
  std::string partition_table() const;

 private:
  Config config_;
  std::vector<Topology> topologies_;
  std::optional<Dataset> dataset_;
  std::optional<Network> network_;
  std::optional<QuadraticProblem> problem_;
  RowLayout layout_;
  std::optional<Schedule> schedule_;
  std::vector<Partition> partitions_;
};

/// One topology, or one per replica where they differ, checked over the rounds of the run.
std::vector<Topology> make_topologies(const Config& config);

/// What the algorithm keeps besides x, momentum and u.
StatePlan state_plan(const AlgorithmConfig& algorithm);

/// The gradients of a shard's nodes on `backend`.
template <class Backend>
std::unique_ptr<Gradients<Backend>> make_gradients(const Backend& backend, const Experiment& experiment,
                                                   const Shard& shard);

}  // namespace sparsepush
