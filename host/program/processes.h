// A run in one process, or in several that a launcher has started: what they do together, and how they end.
#pragma once
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>

#include "data/memory_plan.h"
#include "host/config/config.h"
#include "host/ranks/nccl_transport.h"
#include "host/ranks/rank_transport.h"
#include "host/ranks/ranks.h"
#include "host/records/checkpoint.h"
#include "host/state/backend_choice.h"
#include "host/state/experiment.h"
#include "host/transports/run_shards.h"

namespace sparsepush {

// `ranks` is null below in a process that is alone.

/// Returns whether this process has shard 0 of a run, and with it all files.
inline bool is_first(const Ranks* ranks) { return ranks == nullptr || ranks->rank() == 0; }

/// Does `work` in every process. If it fails in any, throws in all of them what it threw in the first of these.
void together(Ranks* ranks, const std::function<void()>& work);

/// Sets run.shards to the number of processes. Throws InputError if another number was asked for, or if run.transport
/// is for another way to start.
void share_out(Config& config, const Ranks* ranks);

/// Throws InputError, in all processes, if they do not agree on the version, the backend, the configuration or the
/// data: it names the first difference.
void check_alike(Ranks* ranks, const Experiment& experiment, const std::string& backend);

/// Gives all processes what the first has found to go on from.
void share(Ranks* ranks, std::optional<CheckpointHead>& resumed);

/// Returns the number of this process's GPU; processes of a machine take its GPUs in turn.
int device_of(const Ranks* ranks);

/// Returns what each shard of this process takes of its machine; processes that may use the same processors share them.
/// Called by all processes.
template <class Backend>
ShardPlace place_of_shard(const RunConfig& run, Ranks* ranks);

/// Throws InputError if what this process needs does not fit, or what those on its machine need, each as much as this
/// one. All check before any of them takes memory.
template <class Backend>
void check_memory(const Experiment& experiment, const ShardPlace& place, const Ranks* ranks);

/// Tells the other processes why this one gives up, as Ranks::tell does.
void give_up(Ranks& ranks, std::exception_ptr why);
/// Throws what another process has told.
[[noreturn]] void throw_failure(const Ranks& ranks);

/// Returns whether rows travel from GPU to GPU, in the run of all processes. Throws InputError if that is asked for and
/// cannot be.
bool wants_nccl(const RunConfig& run, const ShardPlace& place, Ranks& ranks);

/// Calls body(backend, transport) for the shard of this process's rank.
template <class Backend, class Body>
void run_own_shard(Ranks& ranks, const RunConfig& run, const ShardPlace& place, const Body& body) {
  const auto backend = open_backend<Backend>(place);
  RankTransport<Backend> transport(ranks, run.replicas, run.nodes);
  if constexpr (std::is_same_v<Backend, Cuda>) {
    if (wants_nccl(run, place, ranks)) {
      NcclTransport between_gpus(transport, backend);
      body(backend, between_gpus);
      return transport.barrier();
    }
  }
  body(backend, transport);
  transport.barrier();  // nobody leaves whom another could still tell of a failure
}

/// Calls body(backend, transport) once per shard: in threads of this process, or in this process for its rank. What a
/// shard throws is thrown in all processes.
template <class Backend, class Body>
void run_shards(Ranks* ranks, const RunConfig& run, const ShardPlace& place, const Body& body) {
  if (ranks == nullptr)
    return run_shards<Backend>(run.shards, run.replicas, run.nodes, [&](Transport<Backend>& transport) {
      const auto backend = open_backend<Backend>(place);
      body(backend, transport);
    });
  try {
    run_own_shard<Backend>(*ranks, run, place, body);
  } catch (const TransportAborted&) {
    throw_failure(*ranks);
  } catch (...) {
    give_up(*ranks, std::current_exception());
    throw;
  }
}

/// Returns the exit code of a command that failed, and prints why.
int print_failure(std::exception_ptr why, bool prints = Ranks::launched_rank() == 0);

}  // namespace sparsepush
