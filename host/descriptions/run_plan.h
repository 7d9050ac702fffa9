// What a run will need and send: the text of `sparsepush plan`, and the check that it fits.
#pragma once
#include <string>
#include <vector>

#include "data/memory_plan.h"
#include "host/state/experiment.h"

namespace sparsepush {

/// Some of the shards of a run, one after the other: those of one process.
struct ShardRange {
  int first = 0;
  int count = 1;
  int threads = 0;  ///< of each; 0: as many as shards of one process have
};

/// Lists every array that a run of `experiment` allocates, over all shards.
template <class Backend>
MemoryPlan plan_memory(const Experiment& experiment);
/// Lists every array that a process with these shards allocates.
template <class Backend>
MemoryPlan plan_memory(const Experiment& experiment, const ShardRange& shards);

/// What the nodes of one replica will send; bytes on the wire as an upper bound.
struct PlannedTraffic {
  bool is_exact = true;  ///< else about right: rounds have different numbers of edges
  double messages = 0, authors = 0, coo32 = 0, wire_bound = 0, dense = 0;
};

/// Counts what each replica will send, [replicas]: they may have topologies of their own.
std::vector<PlannedTraffic> planned_traffic(const Experiment& experiment);

/// Refuses at once, before data are made, whatever a run of `experiment` would refuse but for its memory. Throws
/// InputError.
void check_run(Experiment& experiment);

/// Describes memory per array, steps, messages and bytes; the bytes on the wire are an upper bound.
template <class Backend>
std::string describe_run_plan(const Experiment& experiment);

}  // namespace sparsepush
