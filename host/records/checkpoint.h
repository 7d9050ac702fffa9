// checkpoint.safetensors: everything a run needs to go on with the same bits.
#pragma once
#include <cstdint>
#include <string>

#include "data/files/safetensors.h"
#include "host/state/emulator.h"

namespace sparsepush {

/// What must hold before a checkpoint's arrays are read.
struct CheckpointHead {
  std::int64_t step = 0;       ///< SGD steps and final rounds done
  std::int64_t sgd_steps = 0;  ///< SGD steps of the run that wrote it
  bool untested = false;       ///< the evaluation that is due at this step is still to come
};

/// Reads `path` and checks that it belongs to `experiment`: its configuration, arrays and shapes. InputError if not.
CheckpointHead read_checkpoint_head(const std::string& path, const Experiment& experiment);

/// Checks that nodes of `experiment` can start at the parameters in the checkpoint `path`, of a run with as many nodes
/// and replicas and the same tensors. InputError if not.
void check_start(const std::string& path, const Experiment& experiment);

/// Local nodes start at x / u of the checkpoint `path`, with u = 1 and its running statistics; all else is as in any
/// new run. InputError if a parameter is not finite.
template <class Backend>
void read_start(const std::string& path, Emulator<Backend>& emulator);

/// Arrays and metadata of a checkpoint, for SafetensorsWriter. Arrays are replica-major and hold no padding: the
/// saved ones of the state's list, such as x and momentum F32 [R * N, d] and u F64 [R * N], running statistics F32
/// [R * N, columns] if there are any, step I64 [1], and the running sums of the measures. `untested` as above.
template <class Backend>
SafetensorsWriter open_checkpoint(const std::string& path, Emulator<Backend>& emulator, bool untested = false);

/// Writes the local nodes' part of every array; shard 0 also what belongs to no node.
template <class Backend>
void write_checkpoint(SafetensorsWriter& file, Emulator<Backend>& emulator);

/// Reads the local nodes' part, and goes on from there.
template <class Backend>
void read_checkpoint(const std::string& path, Emulator<Backend>& emulator);

}  // namespace sparsepush
