// A task of somebody else's: three tensors of 13 elements, two scores, gradients that the host computes and that may
// fail.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/input_error.h"
#include "host/checkpoint.h"
#include "kernels/buffer.h"
#include "tests/backends.h"
#include "tests/emulation.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 5, kReplicas = 2;

/// Thrown by gradients.
struct OutOfPaper : std::runtime_error {
  OutOfPaper() : std::runtime_error("out of paper") {}
};

/// In which step gradients fail, and how often. The test's own, so that a task may be shared by all shards.
struct Fault {
  std::int64_t step = -1;
  int times = 0;
};

/// What node `node` wants element j to be.
float target_of(int node, int j) { return 0.25f * static_cast<float>((3 * node + j) % 7) - 0.5f; }

class OwnTask final : public Task {
 public:
  explicit OwnTask(Fault& fault, std::string identity = "own") : fault_(fault), identity_(std::move(identity)) {}

  std::vector<Parameter> parameters() const override { return {{"a", {2, 3}}, {"b", {5}}, {"c", {2}}}; }
  std::vector<Parameter> statistics() const override { return {{"steps", {1}}, {"sums", {1, 2}}}; }
  std::vector<std::string> scores() const override { return {"distance", "accuracy"}; }
  std::int64_t steps_per_epoch() const override { return 4; }
  std::string identity() const override { return identity_; }
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
  /// Of 1/2 |z - target|^2 + t z_0 in step t.
  template <class Backend>
  class OwnGradients final : public Gradients<Backend> {
   public:
    OwnGradients(const Backend& backend, const OwnTask& task, const Shard& shard)
        : task_(task), shard_(shard), statistics_(backend, shard.rows(), 3) {}

    bool can_be_recorded() const override { return false; }
    MatrixView<float> statistics() const override { return statistics_.view(); }

    void compute(const Backend& backend, const GradientIn& in, const GradientOut& out,
                 std::int64_t host_step) override {
      std::int64_t step = -1;
      copy(backend, &step, in.step, sizeof(step));
      EXPECT_EQ(step, host_step);
      std::vector<float> gradient(out.gradient.size());
      std::vector<float> statistics = statistics_.to_host();
      std::vector<double> loss(out.loss.size());
      copy(backend, loss.data(), out.loss.data(), out.loss.size_bytes());
      for (int row = 0; row < shard_.rows(); ++row) {
        if (row == 1 && host_step == task_.fault_.step && task_.fault_.times-- > 0) throw OutOfPaper();
        const std::vector<float> z = z_of(backend, in.at, row);
        float* g = gradient.data() + row * out.gradient.cols;
        for_each_element([&](std::int64_t at, int j) { g[at] = z[at] - target_of(shard_.id_of(row).node, j); });
        g[0] += static_cast<float>(host_step);
        loss[row] += loss_of(z, row);
        statistics[3 * row] += 1;
        statistics[3 * row + 2] += z[0];
      }
      copy(backend, out.gradient.data, gradient.data(), gradient.size() * sizeof(float));
      statistics_.assign(statistics);
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
      double u = 1;
      copy(backend, z.data(), at.x.row(row), z.size() * sizeof(float));
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
  };

  Fault& fault_;
  std::string identity_;
  RowLayout layout_ = row_layout_of(parameters());
};

Config own_config(int shards = 1) {
  Config config;
  config.run.nodes = kNodes;
  config.run.replicas = kReplicas;
  config.run.steps = 9;
  config.run.shards = shards;
  config.topology.name = "random_out";
  config.topology.redraw = true;
  config.algorithm.keep = 0.4;
  config.algorithm.averaging_rate = 0.3;
  config.algorithm.local_steps = 2;
  config.optimizer.lr = 0.0625;
  return config;
}

/// The bytes of the checkpoint that a run would leave now. All shards call it.
template <class Backend>
std::string checkpoint_of(Emulator<Backend>& emulator, std::unique_ptr<SafetensorsWriter>& file,
                          const std::string& path) {
  Transport<Backend>& transport = emulator.nodes().transport;
  const bool first = transport.shard().index == 0;
  if (first) file = std::make_unique<SafetensorsWriter>(open_checkpoint(path, emulator));
  transport.barrier();
  write_checkpoint(*file, emulator);
  transport.barrier();
  if (first) file->commit();
  transport.barrier();
  return read_file(path);
}

/// What a run of the whole length comes to.
struct End {
  std::string checkpoint;
  std::vector<std::string> lines;  ///< of metrics.csv
};

/// Trains with `advance_to_end`, which steps an emulator to its last step.
template <class Backend, class Advance>
End end_of(int shards, Fault& fault, const Advance& advance_to_end) {
  const TemporaryFolder folder;
  const Experiment experiment(own_config(shards), rows_of(own_config(shards)), std::make_unique<OwnTask>(fault));
  std::unique_ptr<SafetensorsWriter> file;
  End end;
  run_shards<Backend>(shards, kReplicas, kNodes, [&](Transport<Backend>& transport) {
    const Backend backend = tested_backend<Backend>();
    Emulator<Backend> e(backend, experiment, transport);
    advance_to_end(e);
    EXPECT_EQ(e.step(), 9);
    const std::string checkpoint = checkpoint_of(e, file, folder / "end");
    const std::vector<MetricsRow> rows = e.measure(true);
    if (e.nodes().shard.index != 0) return;
    end.checkpoint = checkpoint;
    for (const MetricsRow& row : rows) end.lines.push_back(metrics_line(row));
  });
  return end;
}

/// On the processor, in one shard and without interruption.
const End& plain_end() {
  static Fault none;
  static const End end = end_of<Cpu>(1, none, [](Emulator<Cpu>& e) { advance(e, 9); });
  return end;
}

template <class Backend>
class OwnTaskOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(OwnTaskOn, Backends);

TYPED_TEST(OwnTaskOn, TrainsToTheSameBitsOnAnyBackendAndNumberOfShards) {
  for (const int shards : {1, 2}) {
    Fault none;
    const End end = end_of<TypeParam>(shards, none, [](auto& e) { advance(e, 9); });
    EXPECT_TRUE(end.checkpoint == plain_end().checkpoint) << shards << " shards";
    EXPECT_EQ(end.lines, plain_end().lines) << shards << " shards";
  }
}

TYPED_TEST(OwnTaskOn, GoesOnAfterGradientsThatFailed) {
  Fault fault{.step = 5, .times = 2};
  int failures = 0;
  const End end = end_of<TypeParam>(1, fault, [&](Emulator<TypeParam>& e) {
    const TemporaryFolder folder;
    std::unique_ptr<SafetensorsWriter> file;
    advance(e, 5);
    const std::string before = checkpoint_of(e, file, folder / "before");
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        advance(e, 1);
      } catch (const OutOfPaper&) {
        ++failures;
      }
      EXPECT_EQ(e.step(), 5);
      EXPECT_TRUE(checkpoint_of(e, file, folder / "after") == before);
    }
    advance(e, 4);
  });
  EXPECT_EQ(failures, 2);
  EXPECT_TRUE(end.checkpoint == plain_end().checkpoint);
  EXPECT_EQ(end.lines, plain_end().lines);
}

TYPED_TEST(OwnTaskOn, ResumesFromACheckpoint) {
  const TemporaryFolder folder;
  const TypeParam backend = tested_backend<TypeParam>();
  Fault none;
  const Experiment experiment(own_config(), rows_of(own_config()), std::make_unique<OwnTask>(none));
  std::unique_ptr<SafetensorsWriter> file;
  emulate_on(backend, experiment, [&](Emulator<TypeParam>& e) {
    advance(e, 5);
    checkpoint_of(e, file, folder / "five");
  });
  EXPECT_EQ(read_checkpoint_head(folder / "five", experiment).step, 5);
  const End end = end_of<TypeParam>(1, none, [&](Emulator<TypeParam>& e) {
    read_checkpoint(folder / "five", e);
    advance(e, 4);
  });
  EXPECT_TRUE(end.checkpoint == plain_end().checkpoint);
  EXPECT_EQ(end.lines, plain_end().lines);
  const Experiment other(own_config(), rows_of(own_config()), std::make_unique<OwnTask>(none, "another"));
  EXPECT_THROW(read_checkpoint_head(folder / "five", other), InputError);
}

TEST(OwnTask, IsNamedInTheCheckpointAndScoredInTheMetrics) {
  const TemporaryFolder folder;
  write_file(folder / "end", plain_end().checkpoint);
  const SafetensorsReader file(folder / "end");
  EXPECT_EQ(file.metadata().at("parameters"),
            R"([{"name":"a","offset":0,"shape":[2,3]},{"name":"b","offset":6,"shape":[5]},)"
            R"({"name":"c","offset":11,"shape":[2]}])");
  EXPECT_EQ(file.metadata().at("statistics"),
            R"([{"name":"steps","offset":0,"shape":[1]},{"name":"sums","offset":1,"shape":[1,2]}])");
  EXPECT_EQ(file.info("x").shape, (std::vector<std::int64_t>{kReplicas * kNodes, 13}));
  const std::vector<float> statistics = file.read<float>("statistics");
  ASSERT_EQ(statistics.size(), 3u * kReplicas * kNodes);
  for (std::size_t i = 0; i < statistics.size(); i += 3) EXPECT_EQ(statistics[i], 9) << "steps of row " << i / 3;
  const std::string header = metrics_header({"distance", "accuracy"});
  EXPECT_TRUE(header.ends_with(",bytes_dense,distance_mean,distance_min,distance_max,distance_mean_model")) << header;
  for (const std::string& line : plain_end().lines)
    EXPECT_EQ(std::ranges::count(line, ','), std::ranges::count(header, ',')) << line;
}

TEST(OwnTask, DescendsToItsTargets) {
  Fault none;
  Config config = own_config();
  config.run.steps = 1;
  const Experiment experiment(config, rows_of(config), std::make_unique<OwnTask>(none));
  emulate_on(tested_cpu(1), experiment, [](Emulator<Cpu>& e) {
    const double before = *e.measure(false).front().test_loss;
    advance(e, 1);
    const MetricsRow after = e.measure(false).front();
    EXPECT_LT(*after.test_loss, before);
    EXPECT_NEAR(*after.train_loss, before, 1e-12 * before) << "at the z where the gradient was taken";
    ASSERT_EQ(after.other_scores.size(), 1u);
    EXPECT_NEAR(after.other_scores[0].mean, 2 * *after.test_loss, 1e-12 * before);
    EXPECT_TRUE(after.accuracy);
  });
}

}  // namespace
}  // namespace sparsepush
