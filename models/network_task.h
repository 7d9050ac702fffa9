// A network that learns a labelled data set, which is divided among the nodes.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/partitions/partition.h"
#include "data/sets/dataset.h"
#include "models/network.h"
#include "models/task.h"
#include "models/task_kinds.h"

namespace sparsepush {

class NetworkTask final : public Task {
 public:
  /// Lays out the parameters; loads nothing but what steps an epoch depend on. Throws InputError.
  explicit NetworkTask(const TaskSettings& settings);

  const Network& network() const { return network_; }

  std::vector<Parameter> parameters() const override { return network_.parameters; }
  std::vector<Parameter> statistics() const override { return network_.statistics_tensors; }
  std::vector<std::string> scores() const override { return {"accuracy"}; }
  std::int64_t steps_per_epoch() const override;
  std::vector<std::string_view> keys(int replica) const override;
  std::vector<PlannedArray> planned_arrays(const RunExtent& run) const override;
  void check() override { divide(); }
  void prepare() override;
  std::vector<std::string> warnings(ReplicaRange replicas) const override;
  bool learns(int replica, int node) const override {
    return partitions_.empty() || !partitions_[replica][node].empty();
  }
  /// Writes parameters that depend on `seed` alone.
  void initialize(std::uint64_t seed, int node, float* row) const override;
  bool nodes_start_equal() const override { return true; }
  /// Samples and class histogram of each node.
  std::string partition_table(ReplicaRange replicas) const override;
  std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu& cpu, const Shard& shard) const override;
  std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda& gpu, const Shard& shard) const override;

 private:
  template <class Backend>
  std::unique_ptr<Gradients<Backend>> gradients_on(const Backend& backend, const Shard& shard) const;

  void load();
  /// Describes shape and type of so many samples in memory.
  std::string set_shape(std::int64_t samples) const;
  std::int64_t set_bytes(std::int64_t samples) const;
  /// Divides the training samples among the nodes, by labels alone where these are there before the rest.
  void divide();
  void check_learners() const;
  std::int64_t steps_per_epoch(const Partition& partition) const;

  TaskSettings settings_;
  Dataset data_;  ///< an outline until it is loaded
  bool is_loaded_ = false;
  Network network_;
  std::vector<Partition> partitions_;  ///< [replicas]
};

TaskKind network_kind();

}  // namespace sparsepush
