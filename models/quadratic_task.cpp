#include "models/quadratic_task.h"

#include <fmt/format.h>

#include "kernels/backend/check.h"
#include "models/quadratic_gradients.h"

namespace sparsepush {
namespace {

std::vector<std::int32_t> identities(const Shard& shard) {
  std::vector<std::int32_t> identity;
  for (int row = 0; row < shard.rows(); ++row) identity.push_back(shard.id_of(row).node);
  return identity;
}

}  // namespace

QuadraticTask::QuadraticTask(const TaskSettings& settings)
    : file_(settings.data.file),
      epoch_steps_(settings.data.epoch_steps),
      shape_(read_quadratic_shape(file_, settings.nodes)),
      layout_(make_row_layout(shape_.segments)) {}

std::vector<Parameter> QuadraticTask::parameters() const {
  std::vector<Parameter> parameters;
  for (std::size_t s = 0; s < shape_.segments.size(); ++s)
    parameters.push_back(
        {.name = shape_.segments.size() == 1 ? "x" : "segment" + std::to_string(s), .shape = shape_.shapes[s]});
  return parameters;
}

std::vector<PlannedArray> QuadraticTask::planned_arrays(const RunExtent& run) const {
  const std::int64_t rows = static_cast<std::int64_t>(run.nodes) * 2;
  return {{"problem, as read", fmt::format("[{}, {}] f32", rows, layout_.params), rows * layout_.params * 4, false},
          {"problem of the shards", fmt::format("[{}, {}] f32", rows, layout_.row), rows * layout_.row * 4}};
}

void QuadraticTask::prepare() { problem_ = load_quadratic(file_, shape_.nodes); }

void QuadraticTask::initialize(std::uint64_t /*seed*/, int node, float* row) const {
  CHECK(problem_ && node >= 0 && node < shape_.nodes, "node ", node, " of ", shape_.nodes);
  unpack_row(layout_, problem_->start.data() + (shape_.start_per_node ? node * shape_.params : 0), row);
}

std::unique_ptr<Gradients<Cpu>> QuadraticTask::make_gradients(const Cpu& cpu, const Shard& shard) const {
  return std::make_unique<QuadraticGradients<Cpu>>(cpu, problem_.value(), identities(shard));
}
std::unique_ptr<Gradients<Cuda>> QuadraticTask::make_gradients(const Cuda& gpu, const Shard& shard) const {
  return std::make_unique<QuadraticGradients<Cuda>>(gpu, problem_.value(), identities(shard));
}

TaskKind quadratic_kind() {
  return {.name = "quadratic", .has_epochs = false, .make = [](const TaskSettings& settings) {
            return std::make_unique<QuadraticTask>(settings);
          }};
}

}  // namespace sparsepush
