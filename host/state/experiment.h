// Everything about a run that is known before its first step: configuration, topology, task, schedule.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "host/config/config.h"
#include "host/recipe/methods.h"
#include "host/recipe/schedule.h"
#include "host/topologies/topology.h"
#include "models/task.h"

namespace sparsepush {

/// In what replicas of a run may differ.
struct ReplicaSettings {
  AlgorithmConfig algorithm;  ///< keep, scope and averaging rate
  OptimizerConfig optimizer;
};

/// Immutable once prepared; shared by all shards.
class Experiment {
 public:
  /// Builds the topologies and the task of the configuration's data set and model, and lays out the parameters. Throws
  /// InputError.
  explicit Experiment(const Config& config) : Experiment(config, rows_of(config)) {}
  /// Builds them likewise, with a method, optimizer, compressor or task that need not be in any table.
  Experiment(const Config& config, Rows rows, std::unique_ptr<Task> task = nullptr);
  /// Gives every replica settings of its own; before there is an emulator.
  void set_replicas(std::vector<ReplicaSettings> replicas);

  /// Refuses at once what a run would refuse later, before data are made: weights that vanish, and what the task
  /// checks.
  void check();
  /// Divides the data among the nodes, or reads the problem; a step of its own, because the memory check comes before
  /// it.
  void prepare_data() { task_->prepare(); }

  const Config& config() const { return config_; }
  const Rows& rows() const { return rows_; }
  /// Returns the [replicas] settings, all alike unless set_replicas was called.
  const std::vector<ReplicaSettings>& replicas() const { return replicas_; }
  /// Returns one topology per replica, or one that all share.
  const std::vector<Topology>& topologies() const { return topologies_; }
  const Task& task() const { return *task_; }
  const Schedule& schedule() const { return schedule_; }
  const RowLayout& layout() const { return layout_; }
  /// Returns whether all nodes of a replica have the same scores after `step` steps, whatever they learn: at the start.
  bool nodes_are_equal_at(std::int64_t step) const;
  /// Hashes all that changes the bits of a run: see config_hash.
  std::string hash() const;

 private:
  Config config_;
  Rows rows_;
  std::vector<ReplicaSettings> replicas_;
  std::vector<Topology> topologies_;
  std::unique_ptr<Task> task_;
  RowLayout layout_;
  Schedule schedule_;
};

/// Lists the arrays of the task's own, and z where it is wanted in memory and u does not stay 1.
StateList own_state(const Experiment& experiment);

/// Makes one topology, or one per replica where they differ, checked over the rounds of the run.
std::vector<Topology> make_topologies(const Config& config);

}  // namespace sparsepush
