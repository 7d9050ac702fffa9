// checkpoint.safetensors: everything a run needs to go on with the same bits.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/files/safetensors.h"
#include "host/records/checkpoint_head.h"
#include "host/state/emulator.h"
#include "host/state/sent_totals.h"

namespace sparsepush {

// A checkpoint is of one run: below, `run` is its number among the runs of the experiment.

/// Starts the local nodes at x / u and with the running statistics of the checkpoint `path`, which shard 0 alone opens,
/// and u = 1; all else is as in any new run. Collective. Throws InputError if a parameter is not finite.
template <class Backend>
void read_start(const std::string& path, Emulator<Backend>& emulator, int run = 0);

/// Begins a checkpoint with its arrays and metadata. Arrays are replica-major and hold no padding: the saved ones of
/// the state's list, such as x and momentum F32 [R * N, d] and u F64 [R * N], running statistics F32 [R * N, columns]
/// if there are any, step I64 [1], and the running sums of the measures. `untested` as in CheckpointHead.
template <class Backend>
SafetensorsWriter open_checkpoint(const std::string& path, Emulator<Backend>& emulator, bool untested = false,
                                  int run = 0);

/// Running sums of all runs; each run's checkpoint has a part of them.
struct SavedCounts {
  std::vector<double> losses;      ///< [local rows] sum of LossWindow
  std::vector<std::int64_t> sent;  ///< [kSentCounts, local rows]
  SentTotals totals;
};

/// Copies the sums to the host, once for all runs. Collective.
template <class Backend>
SavedCounts counts_to_save(Emulator<Backend>& emulator);

/// Writes the nodes of all shards to shard 0's `file`, which is null elsewhere. Collective.
template <class Backend>
void write_checkpoint(SafetensorsWriter* file, Emulator<Backend>& emulator, const SavedCounts& counts, int run = 0);

/// Reads the local nodes' part of the file, which shard 0 alone opens, and goes on from there: all runs have to be at
/// the same step. Collective.
template <class Backend>
void read_checkpoint(const std::string& path, Emulator<Backend>& emulator, int run = 0);

}  // namespace sparsepush
