// One gradient of an MLP 64-16-10 for every node, batch 16, gathering the batches included. The baseline is
// bench/baselines/mlp_torch.py. Arguments of a benchmark: nodes, threads.
#include <benchmark/benchmark.h>

#include <vector>

#include "data/synthetic.h"
#include "kernels/buffer.h"
#include "models/mlp.h"
#include "models/network_gradients.h"

namespace sparsepush {
namespace {

constexpr int kBatch = 16;
constexpr int kSamplesPerNode = 100;

LearningTask make_task(const Dataset& data, int nodes) {
  LearningTask task{.network = make_mlp(data.features, std::vector<std::int64_t>{16}, data.classes),
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

void mlp_gradients(benchmark::State& state) {
  const int nodes = static_cast<int>(state.range(0));
  const Cpu cpu(static_cast<int>(state.range(1)));
  const Dataset data = make_synthetic({.samples = 12000, .features = 64, .classes = 10, .separation = 4});
  NetworkGradients<Cpu> gradients(cpu, make_task(data, nodes));
  const int row = static_cast<int>(gradients.layout().row);
  const Buffer<Cpu, float> x(cpu, nodes, row), gradient(cpu, nodes, row);
  for (int node = 0; node < nodes; ++node) gradients.initialize(node, x.view().row(node));
  const std::vector<double> u(nodes, 1.0);
  std::vector<double> loss(nodes);
  std::int64_t step = 0;
  for (auto _ : state) {
    gradients.compute(cpu, {.x = x.view(), .u = u}, &step, gradient.view(), loss);
    ++step;
    benchmark::ClobberMemory();
  }
  state.counters["node_steps"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * nodes, benchmark::Counter::kIsRate);
}

BENCHMARK(mlp_gradients)
    ->ArgNames({"nodes", "threads"})
    ->ArgsProduct({{64, 1000, 10000}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sparsepush

BENCHMARK_MAIN();
