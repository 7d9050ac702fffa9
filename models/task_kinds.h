// The kinds of tasks that a configuration can name, by what its data set is.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "data/data_config.h"
#include "kernels/layers/convolution_code.h"
#include "kernels/layers/precision.h"
#include "models/model_config.h"
#include "models/task.h"

namespace sparsepush {

/// What a replica has of its own.
struct ReplicaData {
  std::uint64_t seed = 1;
  DataConfig data = {};  ///< whose seed and partition may be others
};

/// What a configuration says of a task.
struct TaskSettings {
  DataConfig data = {};
  ModelConfig model = {};
  int nodes = 1, replicas = 1;
  int test_samples = 0;  ///< of the set's, spread over it; 0: all
  std::uint64_t seed = 1;
  std::vector<ReplicaData> of_replicas = {};   ///< [replicas] empty: seeds from `seed` on, and the same data
  Precision gpu_precision = Precision::kTf32;  ///< of products on a GPU; a Cpu's are in fp32
  ConvolutionCode gpu_convolutions = ConvolutionCode::kOwn;

  ReplicaData replica(int r) const { return of_replicas.empty() ? ReplicaData{seed + r, data} : of_replicas[r]; }
};

/// A row stands in the file of its task.
struct TaskKind {
  std::string_view name;  ///< DataSource::task
  std::vector<std::string_view> keys =
      {};  ///< of [data], [model] and [evaluate] that count for all data sets of this kind
  bool has_epochs = true;
  std::function<std::unique_ptr<Task>(const TaskSettings&)> make;  ///< throws InputError
};

/// Lists all kinds of tasks.
const std::vector<TaskKind>& task_kinds();

/// Returns the kind that learns the data set `data`. Throws InputError.
const TaskKind& kind_of_task(std::string_view data);

}  // namespace sparsepush
