// A task whose gradients are random numbers: all that a benchmark of gossip needs of learning.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "models/task.h"

namespace sparsepush {

/// Sets the rows of `all` to what draw(node, row) writes to zeroed host memory. Rows repeat after the first `kDistinct`
/// or so: neighbours differ all the same, and the host is not what is measured.
template <class Backend, class Draw>
void fill_distinct_rows(const Backend& backend, MatrixView<float> all, const Draw& draw) {
  constexpr int kDistinct = 64, kDistinctElements = 1 << 27;
  const int distinct = std::min(all.rows, std::max(kDistinct, kDistinctElements / all.cols));
  const std::size_t row_bytes = all.cols * sizeof(float);
  const Cpu host;
  std::vector<std::vector<float>> rows(host.threads(), std::vector<float>(all.cols));
  host.pool().run(distinct, [&](std::int64_t node, int worker) {
    draw(static_cast<int>(node), rows[worker].data());
    copy(backend, all.row(node), rows[worker].data(), row_bytes);
  });
  for (int first = distinct; first < all.rows; first += distinct)
    copy_within(backend, all.row(first), all.row(0), std::min(distinct, all.rows - first) * row_bytes);
}

/// Nodes that learn nothing: initial rows and gradients are normal values whose scale differs between a node's tensors
/// as it does between layers.
class RandomTask final : public Task {
 public:
  explicit RandomTask(const std::vector<std::int64_t>& sizes) {
    for (const std::int64_t size : sizes)
      parameters_.push_back({.name = "tensor" + std::to_string(parameters_.size()), .shape = {size}});
    layout_ = row_layout_of(parameters_);
  }

  std::vector<Parameter> parameters() const override { return parameters_; }
  void initialize(std::uint64_t seed, int node, float* row) const override { draw(seed, node, 0.05f, row); }
  std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu&, const Shard&) const override {
    return std::make_unique<Random<Cpu>>(*this);
  }
  std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda&, const Shard&) const override {
    return std::make_unique<Random<Cuda>>(*this);
  }

 private:
  /// Drawn by the host: a benchmark takes the gradients that it needs beforehand.
  template <class Backend>
  class Random final : public Gradients<Backend> {
   public:
    explicit Random(const RandomTask& task) : task_(task) {}

    bool can_be_recorded() const override { return false; }
    void compute(const Backend& backend, const GradientIn&, const GradientOut& out, std::int64_t host_step) override {
      fill_distinct_rows(backend, out.gradient,
                         [&](int node, float* row) { task_.draw(1 + host_step, node, 0.1f, row); });
    }
    void score_nodes(const Backend&, const NodeParameters&, std::span<const int>, MatrixView<double> score) override {
      std::fill_n(score.data, score.size(), 0.0);
    }
    void score_mean(const Backend&, const MeanModel&, int, MatrixView<double> score) override {
      std::fill_n(score.data, score.size(), 0.0);
    }

   private:
    const RandomTask& task_;
  };

  void draw(std::uint64_t seed, int node, float scale, float* row) const {
    std::minstd_rand generator(static_cast<unsigned>(seed) * 7919 + static_cast<unsigned>(node) + 1);
    std::normal_distribution<float> normal;
    std::array<float, 4096> normals;
    for (float& v : normals) v = normal(generator);
    for (const Segment& s : layout_.segments) {
      const float layer_scale = scale / std::sqrt(1 + static_cast<float>(s.size) / 1000);
      for (std::int64_t j = s.begin; j < s.begin + s.size; ++j) {
        const auto bits = static_cast<std::uint32_t>(generator());  // low bits: which normal; high bits: no two alike
        row[j] = layer_scale * normals[bits % 4096] * (1 + static_cast<float>(bits >> 12) * 0x1p-22f);
      }
    }
  }

  std::vector<Parameter> parameters_;
  RowLayout layout_;
};

}  // namespace sparsepush
