// Nodes that each minimise a quadratic of their own, read from a file.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/sets/quadratic.h"
#include "models/task.h"
#include "models/task_kinds.h"

namespace sparsepush {

/// Every replica has the same problem.
class QuadraticTask final : public Task {
 public:
  /// Reads the problem's shape. Throws InputError.
  explicit QuadraticTask(const TaskSettings& settings);

  std::vector<Parameter> parameters() const override;
  std::vector<std::string_view> keys(int /*replica*/) const override {
    return {"data.name", "data.file", "data.epoch_steps"};
  }
  std::int64_t steps_per_epoch() const override { return epoch_steps_; }
  std::vector<PlannedArray> planned_arrays(const RunExtent& run) const override;
  void prepare() override;
  /// Starts where the problem says.
  void initialize(std::uint64_t seed, int node, float* row) const override;
  std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu& cpu, const Shard& shard) const override;
  std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda& gpu, const Shard& shard) const override;

 private:
  std::string file_;
  std::int64_t epoch_steps_;
  QuadraticShape shape_;
  RowLayout layout_;
  std::optional<QuadraticProblem> problem_;
};

TaskKind quadratic_kind();

}  // namespace sparsepush
