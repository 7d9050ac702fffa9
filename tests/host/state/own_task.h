// A task of somebody else's: three tensors of 13 elements, two scores, an array of its own, gradients that the host
// computes and that may fail.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend/buffer.h"
#include "models/task.h"

namespace sparsepush {

/// Thrown by gradients.
struct OutOfPaper : std::runtime_error {
  OutOfPaper() : std::runtime_error("out of paper") {}
};

struct OwnTaskOptions {
  std::string identity = "own";
  bool wants_z = false;
  std::int64_t failing_step = -1;
  int failures = 0;  ///< how often every shard's gradients fail there
};

/// What node `node` wants element j to be.
inline float target_of(int node, int j) { return 0.25f * static_cast<float>((3 * node + j) % 7) - 0.5f; }

class OwnTask final : public Task {
 public:
  explicit OwnTask(OwnTaskOptions options = {}) : options_(std::move(options)) {}

  std::vector<Parameter> parameters() const override { return {{"a", {2, 3}}, {"b", {5}}, {"c", {2}}}; }
  std::vector<Parameter> statistics() const override { return {{"steps", {1}}, {"sums", {1, 2}}}; }
  std::vector<std::string> scores() const override { return {"distance", "accuracy"}; }
  std::int64_t steps_per_epoch() const override { return 4; }
  std::string identity() const override { return options_.identity; }
  StateList state() const override { return {&memory_}; }
  bool wants_z() const override { return options_.wants_z; }
  void initialize(std::uint64_t seed, int node, float* row) const override {
    for (const Segment& s : layout_.segments)
      for (std::int64_t j = 0; j < s.size; ++j)
        row[s.begin + j] = 0.125f * static_cast<float>(seed) - 0.5f * static_cast<float>(node) + static_cast<float>(j);
  }
  std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu& cpu, const Shard& shard) const override {
    return std::make_unique<OwnGradients<Cpu>>(cpu, *this, shard);
  }
  std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda& gpu, const Shard& shard) const override {
    return std::make_unique<OwnGradients<Cuda>>(gpu, *this, shard);
  }

 private:
  /// Of 1/2 |z - target|^2 + t z_0 + s z_1 / 64 in step t, where s is the sum of z_0 so far: t and s are read from the
  /// array of the task's own.
  template <class Backend>
  class OwnGradients final : public Gradients<Backend> {
   public:
    OwnGradients(const Backend& backend, const OwnTask& task, const Shard& shard)
        : task_(task), shard_(shard), statistics_(backend, shard.rows(), 3), failures_left_(task.options_.failures) {}

    bool can_be_recorded() const override { return false; }
    void use(const State<Backend>& state) override { memory_ = state.local(task_.memory_); }
    MatrixView<float> statistics() const override { return statistics_.view(); }

    void compute(const Backend& backend, const GradientIn& in, const GradientOut& out,
                 std::int64_t host_step) override {
      std::int64_t step = -1;
      copy(backend, &step, in.step, sizeof(step));
      EXPECT_EQ(step, host_step);
      std::vector<float> gradient(out.gradient.size());
      std::vector<float> statistics = statistics_.to_host();
      std::vector<double> memory(memory_.size());
      copy(backend, memory.data(), memory_.data, memory.size() * sizeof(double));
      std::vector<double> loss(out.loss.size());
      copy(backend, loss.data(), out.loss.data(), out.loss.size_bytes());
      for (int row = 0; row < shard_.rows(); ++row) {
        if (row == 1 && host_step == task_.options_.failing_step && failures_left_-- > 0) throw OutOfPaper();
        const std::vector<float> z = z_of(backend, in.at, row);
        float* g = gradient.data() + row * out.gradient.cols;
        for_each_element([&](std::int64_t at, int j) { g[at] = z[at] - target_of(shard_.id_of(row).node, j); });
        g[0] += static_cast<float>(memory[2 * row]);
        g[1] += static_cast<float>(memory[2 * row + 1] / 64);
        memory[2 * row] += 1;
        memory[2 * row + 1] += z[0];
        loss[row] += loss_of(z, row);
        statistics[3 * row] += 1;
        statistics[3 * row + 2] += z[0];
      }
      copy(backend, out.gradient.data, gradient.data(), gradient.size() * sizeof(float));
      statistics_.assign(statistics);
      copy(backend, memory_.data, memory.data(), memory.size() * sizeof(double));
      copy(backend, out.loss.data(), loss.data(), out.loss.size_bytes());
    }

    void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                     MatrixView<double> score) override {
      for (int i = 0; i < score.rows; ++i) write_score(z_of(backend, at, nodes[i]), nodes[i], score.row(i));
    }
    void score_mean(const Backend&, const MeanModel& mean, int first_node, MatrixView<double> score) override {
      EXPECT_EQ(mean.statistics.size(), 3u);
      for (int i = 0; i < score.rows; ++i) write_score({mean.z.begin(), mean.z.end()}, first_node + i, score.row(i));
    }

   private:
    template <class Visit>
    void for_each_element(const Visit& visit) const {
      for (const Segment& s : task_.layout_.segments)
        for (std::int64_t j = 0; j < s.size; ++j) visit(s.begin + j, static_cast<int>(s.packed_begin + j));
    }
    std::vector<float> z_of(const Backend& backend, const NodeParameters& at, int row) const {
      std::vector<float> z(at.x.cols);
      copy(backend, z.data(), at.x.row(row), z.size() * sizeof(float));
      EXPECT_EQ(at.u.empty(), task_.options_.wants_z);
      if (at.u.empty()) return z;
      double u = 1;
      copy(backend, &u, at.u.data() + row, sizeof(u));
      for (float& value : z) value *= static_cast<float>(1 / u);
      return z;
    }
    double loss_of(const std::vector<float>& z, int row) const {
      double sum = 0;
      for_each_element([&](std::int64_t at, int j) {
        const double d = z[at] - target_of(shard_.id_of(row).node, j);
        sum += d * d / 2;
      });
      return sum;
    }
    /// Loss, a distance, and whether the node is near its targets.
    void write_score(const std::vector<float>& z, int row, double* score) const {
      score[0] = loss_of(z, row);
      score[1] = 2 * score[0];
      score[2] = score[0] < 40 ? 1 : 0;
    }

    const OwnTask& task_;
    const Shard shard_;
    Buffer<Backend, float> statistics_;  ///< [rows, 3]
    MatrixView<double> memory_;          ///< [rows, 2]
    int failures_left_;
  };

  OwnTaskOptions options_;
  std::string memory_name_ = "memory of " + options_.identity;  ///< known at run time alone
  Array<double> memory_{{.name = memory_name_, .columns = 2}};
  RowLayout layout_ = row_layout_of(parameters());
};

}  // namespace sparsepush
