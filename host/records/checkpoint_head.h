// What checkpoint.safetensors holds, and what is checked before its arrays are read.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/files/safetensors.h"
#include "host/state/experiment.h"
#include "kernels/messages/traffic.h"

namespace sparsepush {

/// What must hold before a checkpoint's arrays are read.
struct CheckpointHead {
  std::int64_t step = 0;        ///< SGD steps and final rounds done
  std::int64_t sgd_steps = 0;   ///< SGD steps of the run that wrote it
  bool untested = false;        ///< the evaluation that is due at this step is still to come
  std::int64_t loss_steps = 0;  ///< steps that train_loss has summed up so far
};

// A checkpoint is of one run: below, `run` is its number among the runs of the experiment.

/// Reads `path` and checks that it belongs to the run: its configuration, arrays and shapes. Throws InputError if not.
CheckpointHead read_checkpoint_head(const std::string& path, const Experiment& experiment, int run = 0);

/// Checks that nodes of the run can start at the parameters in the checkpoint `path`, of a run with as many nodes and
/// replicas and the same tensors. Throws InputError if not.
void check_start(const std::string& path, const Experiment& experiment, int run = 0);

/// The order of the counts in a file's "traffic"; bytes on the wire stand by themselves, node by node.
inline constexpr SentCount kTrafficCounts[] = {kMessagesSent, kAuthorsBytes, kCoo32Bytes, kDenseBytes};

/// Names the running statistics.
inline constexpr std::string_view kStatistics = "statistics";

/// Lists the tensors of a checkpoint, in their order.
std::vector<TensorInfo> checkpoint_tensors(const Experiment& experiment, int run);

/// Describes the parameters of a row in JSON: name, shape and offset of each.
std::string parameter_table(const std::vector<Parameter>& parameters, const RowLayout& layout);

/// Counts the blocks of a row in a file whose run mixed by blocks; 0 for any other file. Throws InputError where they
/// fit no rows.
std::int64_t blocks_in(const SafetensorsReader& file, const Experiment& experiment, int run);

}  // namespace sparsepush
