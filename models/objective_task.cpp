#include "models/objective_task.h"

#include <utility>

#include "kernels/backend/check.h"

namespace sparsepush {

/// Copies a node's row to the host and its gradient back, one node after the other.
template <class Backend>
class ObjectiveTask::HostGradients final : public Gradients<Backend> {
 public:
  HostGradients(const ObjectiveTask& task, const Shard& shard) : task_(task), shard_(shard) {}

  bool can_be_recorded() const override { return false; }

  void compute(const Backend& backend, const GradientIn& in, const GradientOut& out, std::int64_t host_step) override {
    std::vector<double> loss(out.loss.size());
    copy(backend, loss.data(), out.loss.data(), out.loss.size_bytes());
    for (int row = 0; row < shard_.rows(); ++row) {
      load(backend, in.at, row);
      loss[row] += task_.objective_(shard_.id_of(row).node, host_step, z_, gradient_);
      unpack_row(task_.layout_, gradient_.data(), row_.data());
      copy(backend, out.gradient.row(row), row_.data(), row_.size() * sizeof(float));
    }
    copy(backend, out.loss.data(), loss.data(), out.loss.size_bytes());
  }

  void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                   MatrixView<double> score) override {
    for (int i = 0; i < score.rows; ++i) {
      load(backend, at, nodes[i]);
      score.row(i)[0] = task_.objective_(shard_.id_of(nodes[i]).node, -1, z_, gradient_);
    }
  }

  void score_mean(const Backend&, const MeanModel& mean, int first_node, MatrixView<double> score) override {
    row_.assign(mean.z.begin(), mean.z.end());
    pack_row(task_.layout_, row_.data(), z_.data());
    for (int i = 0; i < score.rows; ++i)
      score.row(i)[0] = task_.objective_(shard_.id_of(first_node + i).node, -1, z_, gradient_);
  }

 private:
  /// z of local row `row`. The row's padding is 0 and stays so when the gradient is written over it.
  void load(const Backend& backend, const NodeParameters& at, int row) {
    CHECK(at.u.empty(), "z is not in memory");
    copy(backend, row_.data(), at.x.row(row), row_.size() * sizeof(float));
    pack_row(task_.layout_, row_.data(), z_.data());
  }

  const ObjectiveTask& task_;
  const Shard shard_;
  std::vector<float> row_ = std::vector<float>(task_.layout_.row);  ///< with padding
  std::vector<float> z_ = std::vector<float>(task_.layout_.params), gradient_ = z_;
};

ObjectiveTask::ObjectiveTask(std::string name, std::vector<Parameter> parameters, std::vector<float> start,
                             Objective objective)
    : name_(std::move(name)),
      parameters_(std::move(parameters)),
      layout_(row_layout_of(parameters_)),
      start_(std::move(start)),
      objective_(std::move(objective)) {
  CHECK(std::ssize(start_) == layout_.params, "start ", start_.size(), ", parameters ", layout_.params);
}

void ObjectiveTask::initialize(std::uint64_t, int, float* row) const { unpack_row(layout_, start_.data(), row); }

std::unique_ptr<Gradients<Cpu>> ObjectiveTask::make_gradients(const Cpu&, const Shard& shard) const {
  return std::make_unique<HostGradients<Cpu>>(*this, shard);
}

std::unique_ptr<Gradients<Cuda>> ObjectiveTask::make_gradients(const Cuda&, const Shard& shard) const {
  return std::make_unique<HostGradients<Cuda>>(*this, shard);
}

}  // namespace sparsepush
