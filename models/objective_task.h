// Nodes that each minimise a function of one's own, written for the host.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/task.h"

namespace sparsepush {

/// The loss of node `node` at its parameters z [params], tensor after tensor, whose gradient [params] it writes. `step`
/// counts SGD steps, -1 where a model is only scored. Shards call it at the same time.
using Objective =
    std::function<double(int node, std::int64_t step, std::span<const float> z, std::span<float> gradient)>;

/// What a function of the host says, on either backend: a GPU waits in every step until it has been called for all
/// nodes. Every replica has the same objectives.
class ObjectiveTask final : public Task {
 public:
  /// Makes a task whose nodes start at `start` [params]. `name` counts for the hash of its runs: another objective
  /// needs another one. Throws std::invalid_argument if `start` has another size than the parameters.
  ObjectiveTask(std::string name, std::vector<Parameter> parameters, std::vector<float> start, Objective objective);

  std::vector<Parameter> parameters() const override { return parameters_; }
  bool wants_z() const override { return true; }
  std::string identity() const override { return name_; }
  void initialize(std::uint64_t seed, int node, float* row) const override;
  std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu& cpu, const Shard& shard) const override;
  std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda& gpu, const Shard& shard) const override;

 private:
  template <class Backend>
  class HostGradients;

  std::string name_;
  std::vector<Parameter> parameters_;
  RowLayout layout_;
  std::vector<float> start_;
  Objective objective_;
};

}  // namespace sparsepush
