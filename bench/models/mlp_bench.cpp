// An MLP 64-16-10 on every node, batch 16: mlp_gradients takes one gradient, gathering the batches included (its
// baseline is bench/baselines/mlp_torch.py), and mlp_round one whole step of Sparse-Push at keep 1 % on a random
// digraph of out-degree 2. Arguments of a benchmark: nodes, and threads of the Cpu.
#include <benchmark/benchmark.h>

#include <vector>

#include "data/sets/synthetic.h"
#include "host/state/emulator.h"
#include "host/transports/run_shards.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/repeated_work.h"
#include "kernels/nodes/step_clock.h"
#include "models/mlp.h"
#include "models/network_gradients.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

constexpr int kBatch = 16;
constexpr int kSamplesPerNode = 100;

LocalTask make_task(const Dataset& data, int nodes) {
  LocalTask task{.network = make_mlp(data.features, std::vector<std::int64_t>{16}, data.classes),
                 .data = data,
                 .owned = Partition(nodes),
                 .seed = std::vector<std::uint64_t>(nodes, 1),
                 .identity = {},
                 .batch = kBatch};
  for (int node = 0; node < nodes; ++node) {
    task.identity.push_back(node);
    for (int i = 0; i < kSamplesPerNode; ++i)
      task.owned[node].push_back(static_cast<std::int32_t>((37LL * node + 101LL * i) % data.train.count));
  }
  return task;
}

void count_node_steps(benchmark::State& state) {
  state.counters["node_steps"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)), benchmark::Counter::kIsRate);
}

template <class Backend>
void mlp_gradients(benchmark::State& state, const Backend& backend) {
  const int nodes = static_cast<int>(state.range(0));
  const Dataset data = make_synthetic({.samples = 12000, .features = 64, .classes = 10, .separation = 4});
  const LocalTask task = make_task(data, nodes);
  NetworkGradients<Backend> gradients(backend, task);
  const int row = static_cast<int>(task.network.layout.row);
  const Buffer<Backend, float> x(backend, nodes, row), gradient(backend, nodes, row);
  std::vector<float> initial(row);
  for (int node = 0; node < nodes; ++node) {
    initialize_network(task.network, task.seed[node], initial.data());
    copy(backend, x.view().row(node), initial.data(), row * sizeof(float));
  }
  const Buffer<Backend, double> u(backend, std::vector<double>(nodes, 1.0)), loss(backend, 1, nodes);
  const Buffer<Backend, std::uint8_t> diverged(backend, 1, nodes);
  const Buffer<Backend, StepClock> clock(backend, 1, 1);
  RepeatedWork<Backend> work;
  for (auto _ : state) {
    work.run(backend, 0, 0, [&] {
      gradients.compute(backend, {.at = {.x = x.view(), .u = u.span()}, .step = &clock.span().data()->step},
                        {.gradient = gradient.view(), .loss = loss.span()}, 0);
      end_step(backend, diverged.span(), 0, clock.span());
    });
    backend.synchronize();
  }
  count_node_steps(state);
}

Config round_config(int nodes) {
  Config config;
  config.run.nodes = nodes;
  config.run.steps = 1'000'000'000;
  config.data.name = "synthetic";
  config.data.features = 64;
  config.data.samples = std::max(12'000, 2 * nodes);
  config.data.batch = kBatch;
  config.model.hidden = {16};
  config.topology.name = "random_out";
  config.topology.degree = 2;
  config.algorithm.averaging_rate = config.algorithm.keep;
  config.optimizer.lr = 0.01;
  return config;
}

template <class Backend>
void mlp_round(benchmark::State& state, const Backend& backend) {
  Experiment experiment(round_config(static_cast<int>(state.range(0))));
  experiment.prepare_data();
  run_shards<Backend>(1, 1, experiment.config().run.nodes, [&](Transport<Backend>& transport) {
    Emulator<Backend> emulator(backend, experiment, transport);
    for (auto _ : state) {
      emulator.run_step([&] {
        emulator.take_gradients();
        emulator.run_method();
      });
      backend.synchronize();
    }
  });
  count_node_steps(state);
}

template <class Benchmark>
void set_up(Benchmark* benchmark) {
  benchmark->UseRealTime()->Unit(benchmark::kMillisecond);
}

void register_benchmarks() {
  const std::vector<std::int64_t> nodes = {64, 1000, 10000};
  const auto on_cpu = [](auto body) {
    return [body](benchmark::State& state) { body(state, tested_cpu(static_cast<int>(state.range(1)))); };
  };
  const auto on_gpu = [](auto body) { return [body](benchmark::State& state) { body(state, Cuda()); }; };
  set_up(benchmark::RegisterBenchmark("mlp_gradients", on_cpu(mlp_gradients<Cpu>))
             ->ArgNames({"nodes", "threads"})
             ->ArgsProduct({nodes, {1, 2}}));
  set_up(benchmark::RegisterBenchmark("mlp_round", on_cpu(mlp_round<Cpu>))
             ->ArgNames({"nodes", "threads"})
             ->ArgsProduct({nodes, {2}}));
  if (!Cuda::is_available()) return;
  const std::vector<std::int64_t> nodes_of_gpu = {64, 1000, 10000, 100000};
  set_up(benchmark::RegisterBenchmark("mlp_gradients_cuda", on_gpu(mlp_gradients<Cuda>))
             ->ArgName("nodes")
             ->ArgsProduct({nodes_of_gpu}));
  set_up(benchmark::RegisterBenchmark("mlp_round_cuda", on_gpu(mlp_round<Cuda>))
             ->ArgName("nodes")
             ->ArgsProduct({nodes_of_gpu}));
}

}  // namespace
}  // namespace sparsepush

int main(int argc, char** argv) {
  benchmark::AddCustomContext("vector_level", std::string(name_of(sparsepush::tested_vector_level())));
  sparsepush::register_benchmarks();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
