// What nodes learn: the seam between the emulator and networks, problems or a user's own model.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/memory_plan.h"
#include "kernels/nodes/state.h"
#include "models/gradients.h"
#include "models/parameter.h"
#include "models/shard.h"

namespace sparsepush {

/// The run that a task plans its memory for.
struct RunExtent {
  int nodes = 1, replicas = 1, shards = 1;
  int threads = 1;    ///< of each shard that have memory of their own; 1 on a GPU
  bool cuda = false;  ///< else on the Cpu
};

/// Shared by all shards of a run, and made before any backend is.
class Task {
 public:
  virtual ~Task() = default;

  /// Lists the tensors of a node's row.
  virtual std::vector<Parameter> parameters() const = 0;
  /// Lists the tensors of a row of Gradients::statistics().
  virtual std::vector<Parameter> statistics() const { return {}; }
  /// Lists arrays of its own, which are allocated, planned and saved with the nodes' state; see Gradients::use.
  virtual StateList state() const { return {}; }
  /// Returns whether its gradients and scores are taken at z in memory: NodeParameters::u is empty then. That is part
  /// of what the task is, not a choice of backend: sums that are multiplied by 1 / u differ from it in their last bits.
  virtual bool wants_z() const { return false; }
  /// Names the scores beside loss. "accuracy" has columns of metrics.csv; another NAME adds NAME_mean, NAME_min,
  /// NAME_max and NAME_mean_model behind the last one.
  virtual std::vector<std::string> scores() const { return {}; }
  /// Returns how many steps an epoch has; 0: there are no epochs.
  virtual std::int64_t steps_per_epoch() const { return 0; }

  /// Lists the keys of [data], [model] and [evaluate] that count for a replica, such as "data.batch": for its run's
  /// hash.
  virtual std::vector<std::string_view> keys(int /*replica*/) const { return {}; }
  /// Tells it from other tasks by what its keys do not: counts for its runs' hash where it is not empty.
  virtual std::string identity() const { return ""; }

  /// Lists the memory that it takes, over all shards.
  virtual std::vector<PlannedArray> planned_arrays(const RunExtent& /*run*/) const { return {}; }
  /// Reads or divides what the functions below need; a step of its own, because the memory check comes before it.
  virtual void prepare() {}

  /// Says what users should know of the data of some replicas, a line each; known once it is prepared.
  virtual std::vector<std::string> warnings(ReplicaRange /*replicas*/) const { return {}; }
  /// Refuses what `prepare` would refuse, with no more work than that takes.
  virtual void check() { prepare(); }

  /// Returns whether a node has data; one without only mixes: its gradient is 0. Known once it is checked.
  virtual bool learns(int /*replica*/, int /*node*/) const { return true; }

  /// Writes the initial parameters of node `node` of the replica with seed `seed` to the host row `row`, whose padding
  /// is 0.
  virtual void initialize(std::uint64_t seed, int node, float* row) const = 0;
  /// Returns whether `initialize` gives all nodes of a replica the same parameters, and their scores depend on nothing
  /// else.
  virtual bool nodes_start_equal() const { return false; }
  /// Returns the text of partition.csv of some replicas, which are counted from 0 there; empty without data.
  virtual std::string partition_table(ReplicaRange /*replicas*/) const { return ""; }

  /// Makes the gradients of a shard's nodes. The task must outlive them.
  virtual std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu& cpu, const Shard& shard) const = 0;
  virtual std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda& gpu, const Shard& shard) const = 0;
};

}  // namespace sparsepush
