// The gossip step of Sparse-Push beside a plain pass over the same arrays, interleaved in one process.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/buffer.h"
#include "kernels/multiversion.h"
#include "kernels/push_sum_mix.h"
#include "kernels/update_mix.h"
#include "kernels/update_select.h"
#include "kernels/wire_size.h"

namespace sparsepush {
namespace {

constexpr double kBytesPerParam = 28;  // read x, momentum, gradient, error; write x, momentum, error
constexpr int kGradients = 4;          // independent gradient arrays that rounds take in turn
constexpr int kWarmUpRounds = 120;     // until thresholds and errors have settled
constexpr float kLr = 0.01f, kMomentum = 0.9f, kWeightDecay = 1e-4f;

std::vector<std::int64_t> resnet20() {
  std::vector<std::int64_t> sizes = {432};
  const auto add = [&](int count, std::int64_t size) { sizes.insert(sizes.end(), count, size); };
  add(6, 2304), add(1, 4608), add(5, 9216), add(1, 18432), add(5, 36864);
  add(14, 16), add(12, 32), add(12, 64);
  add(1, 640), add(1, 10);
  return sizes;
}
std::vector<std::int64_t> vgg11() {
  return {1728,    64,  73728,   128, 294912,  256, 589824, 256, 1179648, 512,
          2359296, 512, 2359296, 512, 2359296, 512, 262144, 512, 5120,    10};
}
std::vector<std::int64_t> mlp() { return {1024, 16, 160, 10}; }

/// A directed ring in which each node also hears the node `nodes / 2` before it.
struct Ring {
  std::vector<std::int64_t> begin = {0};
  std::vector<std::int32_t> slot;
  std::vector<float> weight, self_weight;

  Ring(int nodes, float averaging_rate) {
    for (int node = 0; node < nodes; ++node) {
      slot.push_back((node + nodes - 1) % nodes);
      weight.push_back(averaging_rate / 2);
      self_weight.push_back(-averaging_rate / 2);
      begin.push_back(node + 1);
    }
  }
  RoundEdges edges() const { return {begin, slot, weight, self_weight}; }
};

/// All arrays of an emulation and its two contestants: one round, and one plain pass.
class Gossip {
 public:
  Gossip(int threads, int nodes, const std::vector<std::int64_t>& sizes, double keep)
      : cpu_(threads),
        nodes_(nodes),
        layout_(make_row_layout(sizes)),
        plan_(make_topk_plan(layout_, TopkScope::kLayer, keep)),
        ring_(nodes, static_cast<float>(std::exp2(std::floor(std::log2(keep))))),
        memory_(cpu_, nodes, layout_, {plan_}),
        x_(cpu_, nodes, row()),
        momentum_(cpu_, nodes, row()),
        error_(cpu_, nodes, row()),
        position_(cpu_, nodes, static_cast<int>(plan_.entries)),
        value_(cpu_, nodes, static_cast<int>(plan_.entries)),
        u_(nodes, 1.0),
        before_(nodes, 1.0),
        entries_(nodes, plan_.entries),
        wire_(nodes),
        diverged_(nodes) {
    for (int g = 0; g < kGradients; ++g) {
      gradients_.emplace_back(cpu_, nodes, row());
      fill(gradients_.back(), 1 + g, 0.1f);
    }
    fill(x_, 100, 0.05f);
  }

  void round() {
    update_select(cpu_, memory_, {.sgd = update(), .error = error_.view(), .messages = messages()});
    std::copy(u_.begin(), u_.end(), before_.begin());
    push_sum_mix(cpu_, {.x = x_.view(), .messages = messages(), .entries = entries_, .edges = ring_.edges()});
    mix_push_weights(cpu_, ring_.edges(), before_, u_);
    wire_sizes(cpu_, layout_, messages(), entries_, wire_);
    ++step_;
  }

  void dense_round() {
    update_mix(cpu_, layout_, {.sgd = update(), .edges = ring_.edges()});
    std::copy(u_.begin(), u_.end(), before_.begin());
    mix_push_weights(cpu_, ring_.edges(), before_, u_);
    ++step_;
  }

  /// What no form of the step can avoid: the same arithmetic and traffic, no selection. It moves x by a learning rate
  /// of zero, so that it does not disturb the emulation.
  void plain_pass() {
    constexpr std::int64_t kPiece = 1 << 15;
    const auto params = static_cast<std::int64_t>(x_.view().size());
    const float* all_gradients = gradients_[step_ % kGradients].view().data;
    cpu_.pool().run((params + kPiece - 1) / kPiece, [&](std::int64_t item, int) {
      const std::int64_t begin = item * kPiece, size = std::min(kPiece, params - begin);
      run_vectorized([&]() __attribute__((always_inline)) {
        float* __restrict x = x_.view().data + begin;
        float* __restrict momentum = momentum_.view().data + begin;
        float* __restrict error = error_.view().data + begin;
        const float* __restrict gradient = all_gradients + begin;
        const float lr = zero_, beta = 1 - zero_, weight_decay = zero_, scale = zero_;
        for (std::int64_t i = 0; i < size; ++i) {
          const float g = std::fma(weight_decay, x[i] * (1 - scale), gradient[i] * scale);
          const float m = std::fma(beta, momentum[i], g);
          const float next = std::fma(-lr, m, x[i]);
          momentum[i] = m;
          x[i] = next;
          error[i] = std::fma(scale, next, error[i]);
        }
      });
    });
  }

  double params() const { return static_cast<double>(nodes_) * static_cast<double>(layout_.params); }
  const TopkPlan& plan() const { return plan_; }

 private:
  int row() const { return static_cast<int>(layout_.row); }
  Messages messages() { return {position_.view(), value_.view()}; }
  SgdUpdate update() {
    return {.x = x_.view(),
            .momentum = momentum_.view(),
            .gradient = gradients_[step_ % kGradients].view(),
            .u = u_,
            .settings = settings_,
            .nesterov = false,
            .diverged = diverged_};
  }
  /// Normal values whose scale differs between nodes' segments as it does between layers.
  void fill(Buffer<Cpu, float>& values, unsigned seed, float scale) {
    cpu_.pool().run(nodes_, [&](std::int64_t node, int) {
      std::minstd_rand generator(seed * 7919 + static_cast<unsigned>(node) + 1);
      std::normal_distribution<float> normal;
      std::array<float, 4096> normals;
      for (float& v : normals) v = normal(generator);
      for (const Segment& s : layout_.segments) {
        const float layer_scale = scale / std::sqrt(1 + static_cast<float>(s.size) / 1000);
        for (std::int64_t j = s.begin; j < s.begin + s.size; ++j) {
          const auto bits = static_cast<std::uint32_t>(generator());  // low bits: which normal; high bits: no two alike
          values.view().row(node)[j] =
              layer_scale * normals[bits % 4096] * (1 + static_cast<float>(bits >> 12) * 0x1p-22f);
        }
      }
    });
  }

  Cpu cpu_;
  int nodes_;
  RowLayout layout_;
  TopkPlan plan_;
  Ring ring_;
  SelectionMemory<Cpu> memory_;
  Buffer<Cpu, float> x_, momentum_, error_;
  std::vector<Buffer<Cpu, float>> gradients_;
  Buffer<Cpu, std::int32_t> position_;
  Buffer<Cpu, float> value_;
  std::vector<double> u_, before_;
  std::vector<std::int64_t> entries_, wire_;
  std::vector<std::uint8_t> diverged_;
  std::vector<SgdSettings> settings_ = {{.lr = kLr, .momentum = kMomentum, .weight_decay = kWeightDecay}};
  volatile float zero_ = 0;  // unknown to the compiler
  std::int64_t step_ = 0;
};

template <class Body>
double seconds(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// Times `round` of each iteration and, outside of the iteration's time, a plain pass after it.
template <class Round>
void run_beside_plain_pass(benchmark::State& state, Gossip& gossip, const Round& round) {
  for (int i = 0; i < kWarmUpRounds; ++i) round();
  gossip.plain_pass();
  std::vector<double> round_s, pass_s, ratio;
  for (auto _ : state) {
    round_s.push_back(seconds(round));
    state.SetIterationTime(round_s.back());
    pass_s.push_back(seconds([&] { gossip.plain_pass(); }));
    ratio.push_back(pass_s.back() / round_s.back());
  }
  state.counters["ns_per_param"] = 1e9 * median(round_s) / gossip.params();
  state.counters["pass_ns_per_param"] = 1e9 * median(pass_s) / gossip.params();
  state.counters["pass_GB_per_s"] = 1e-9 * kBytesPerParam * gossip.params() / median(pass_s);
  state.counters["GB_per_s"] = 1e-9 * kBytesPerParam * gossip.params() / median(round_s);
  state.counters["fraction_of_pass"] = median(ratio);
  state.counters["fraction_of_best"] = std::ranges::min(pass_s) / std::ranges::min(round_s);
  state.counters["best_ns_per_param"] = 1e9 * std::ranges::min(round_s) / gossip.params();
}

void sparse(benchmark::State& state, int nodes, std::vector<std::int64_t> sizes, double keep) {
  Gossip gossip(static_cast<int>(state.range(0)), nodes, sizes, keep);
  run_beside_plain_pass(state, gossip, [&] { gossip.round(); });
}

void dense(benchmark::State& state, int nodes, std::vector<std::int64_t> sizes) {
  Gossip gossip(static_cast<int>(state.range(0)), nodes, sizes, 0.001);
  run_beside_plain_pass(state, gossip, [&] { gossip.dense_round(); });
}

constexpr int kRounds = 41;  // interleaved pairs of which medians are taken

}  // namespace
}  // namespace sparsepush

int main(int argc, char** argv) {
  using namespace sparsepush;
  struct Layout {
    std::string name;
    std::vector<std::int64_t> sizes;
    std::vector<int> nodes;
  };
  for (const Layout& layout :
       {Layout{"resnet20", resnet20(), {64, 16, 256}}, {"vgg11", vgg11(), {4}}, {"mlp", mlp(), {10000}}}) {
    for (const int nodes : layout.nodes) {
      const auto add = [&](const std::string& method, const auto& function, auto... arguments) {
        const std::string name = "gossip/" + layout.name + "/N:" + std::to_string(nodes) + "/" + method;
        benchmark::RegisterBenchmark(name.c_str(), function, nodes, layout.sizes, arguments...)
            ->ArgName("threads")
            ->Arg(2)
            ->Iterations(kRounds)
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      };
      add("keep:0.01", sparse, 0.01);
      add("keep:0.001", sparse, 0.001);
      add("dense", dense);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
