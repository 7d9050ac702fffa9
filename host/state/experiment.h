// Everything about a run that is known before its first step: configuration, topology, task, schedule.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/config/config.h"
#include "host/recipe/methods.h"
#include "host/recipe/schedule.h"
#include "host/topologies/topology.h"
#include "models/shard.h"
#include "models/task.h"

namespace sparsepush {

/// The settings in which replicas may differ.
struct ReplicaSettings {
  std::uint64_t seed = 1;
  DataConfig data;            ///< partition and its seed
  AlgorithmConfig algorithm;  ///< keep, scope, averaging rate and its decay, threshold and monitor
  OptimizerConfig optimizer;  ///< all but the kind
};

/// A run of an experiment, which has a folder of its own: some of the replicas, with seeds seed, seed + 1, ...
struct Run {
  Config config;  ///< the configuration as if the run were alone
  int first = 0;  ///< number of its first replica

  ReplicaRange replicas() const { return {first, config.run.replicas}; }
};

/// One run, or several side by side in the same arrays. Immutable once prepared; shared by all shards.
class Experiment {
 public:
  /// Builds the topologies and the task of the configuration's data set and model, and lays out the parameters. Throws
  /// InputError.
  explicit Experiment(const Config& config) : Experiment(config, recipe_of(config)) {}
  /// Builds the same with a method, optimizer, compressor or task that need not be in any table. Throws InputError.
  Experiment(const Config& config, Recipe recipe, std::unique_ptr<Task> task = nullptr);
  /// Builds one experiment of runs that differ in nothing but replicas and what ReplicaSettings says, and are equally
  /// long: each has the bits that it has alone. Throws InputError where their lengths differ.
  explicit Experiment(const std::vector<Config>& runs);

  /// Refuses at once what a run would refuse later, before data are made: weights that vanish, and what the task
  /// checks.
  void check();
  /// Divides the data among the nodes, or reads the problem; a step of its own, because the memory check comes before
  /// it.
  void prepare_data() { task_->prepare(); }

  /// Returns what all runs have in common; run.replicas counts the replicas of all of them.
  const Config& config() const { return config_; }
  const std::vector<Run>& runs() const { return runs_; }
  const Recipe& recipe() const { return recipe_; }
  /// Returns the settings of each replica of all runs, [replicas].
  const std::vector<ReplicaSettings>& replicas() const { return replicas_; }
  /// Returns one topology per replica, or one that all share.
  const std::vector<Topology>& topologies() const { return topologies_; }
  const Task& task() const { return *task_; }
  const Schedule& schedule() const { return schedule_; }
  const RowLayout& layout() const { return layout_; }
  /// Returns whether all nodes of a replica have the same scores after `step` steps, whatever they learn: at the start.
  bool nodes_are_equal_at(std::int64_t step) const;
  /// Hashes all that changes the bits of a run, as config_hash says.
  std::string hash(int run = 0) const;

 private:
  Experiment(std::vector<Run> runs, Recipe recipe, std::unique_ptr<Task> task);
  /// Returns the settings of the replicas that play the rounds of topology number `topology`.
  std::span<const ReplicaSettings> replicas_on(std::size_t topology) const;
  void check_topologies() const;

  std::vector<Run> runs_;
  Config config_;
  Recipe recipe_;
  std::vector<ReplicaSettings> replicas_;
  std::vector<Topology> topologies_;
  std::unique_ptr<Task> task_;
  RowLayout layout_;
  Schedule schedule_;
};

/// Lists the arrays of the task's own, and z where it is wanted in memory and u does not stay 1.
StateList own_state(const Experiment& experiment);

/// Makes one topology, or one per replica where they differ. Throws InputError, also where they do not fit into memory.
std::vector<Topology> make_topologies(const Config& config);
/// Makes the topologies of replicas with these seeds: one where the seed does not matter. Throws InputError.
std::vector<Topology> make_topologies(const Config& config, std::span<const std::uint64_t> seeds);

}  // namespace sparsepush
