// Image networks with batch normalization on every node, batches of 32 x 32 x 3: network_gradients takes one gradient,
// picking and converting the batches included, and network_round one whole step of Sparse-Push at keep 1 % on a
// directed ring. Arguments: nodes and threads of the Cpu, whose batch is 32, or nodes and batch on a GPU, where a step
// is one CUDA graph as in the emulator; cudnn_ before a precision: with convolutions by cuDNN. Baselines:
// bench/baselines/network_torch.py and network_gpu.py.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "bench/ceilings.h"
#include "data/sets/cifar.h"
#include "host/state/nodes.h"
#include "host/transports/local_transport.h"
#include "kernels/backend/buffer.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "kernels/nodes/step_clock.h"
#include "models/lenet5.h"
#include "models/network_gradients.h"
#include "models/resnet20.h"
#include "models/vgg11.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

constexpr int kCpuBatch = 32, kClasses = 10;
constexpr double kKeep = 0.01;

/// Random pixels: no time depends on them.
Dataset random_images(int train, int test) {
  Dataset data{.name = "random", .features = kCifarImage.size(), .image = kCifarImage, .classes = kClasses};
  data.channel.assign(kCifarImage.channels, ByteScale{.scale = 1 / 64.0f, .offset = -2});
  std::minstd_rand generator(1);
  for (auto [set, count] : {std::pair{&data.train, train}, std::pair{&data.test, test}}) {
    set->count = count;
    set->bytes.resize(static_cast<std::size_t>(count) * data.features);
    for (std::uint8_t& byte : set->bytes) byte = static_cast<std::uint8_t>(generator() >> 8);
    for (int i = 0; i < count; ++i) set->label.push_back(static_cast<std::uint8_t>(i % kClasses));
  }
  return data;
}

LocalTask make_task(const Network& network, const Dataset& data, int nodes, int batch) {
  LocalTask task{.network = network,
                 .data = data,
                 .owned = Partition(nodes),
                 .seed = std::vector<std::uint64_t>(nodes, 1),
                 .identity = {},
                 .batch = batch};
  for (int node = 0; node < nodes; ++node) task.identity.push_back(node);
  for (int i = 0; i < data.train.count; ++i) task.owned[i % nodes].push_back(i);
  return task;
}

Config round_config(int nodes) {
  Config config;
  config.run.nodes = nodes;
  config.algorithm.keep = kKeep;
  config.algorithm.averaging_rate = kKeep;
  return config;
}

/// The emulation's steps without its host: on one shard, with a learning rate that never changes.
template <class Backend>
class Training {
 public:
  Training(const Backend& backend, const Network& network, int nodes, int batch)
      : backend_(backend),
        layout_(network.layout),
        data_(random_images(nodes * 4 * batch, 1)),
        gradients_(backend, make_task(network, data_, nodes, batch)),
        config_(round_config(nodes)),
        transport_(meeting_, {.all_nodes = nodes}),
        nodes_(backend, transport_, layout_,
               {.recipe = recipe_of(config_), .algorithm = {config_.algorithm}, .seed = {0}}),
        topologies_{make_topology(config_.topology, nodes, 1)},
        plan_(backend, topology_rules(topologies_, 1, [](int, std::int64_t) { return kKeep; }), transport_.shard()),
        loss_(backend, 1, nodes),
        clock_(backend, 1, 1) {
    plan_.play(0);
    nodes_.settings.assign(std::vector<SgdSettings>{{.lr = 0.01f, .momentum = 0.9f, .weight_decay = 1e-4f}});
    std::vector<float> row(layout_.row);
    initialize_network(network, 1, row.data());
    for (int node = 0; node < nodes; ++node)
      copy(backend, nodes_[state::x].row(node), row.data(), row.size() * sizeof(float));
  }

  /// One step, without its gossip if not `whole_round`; the same each time. Has ended on return.
  void step(bool whole_round) {
    nodes_.work.run(backend_, 0, 0, [&] {
      StepClock* const clock = clock_.span().data();
      gradients_.compute(backend_, {.at = {.x = nodes_[state::x], .u = nodes_.list(state::u)}, .step = &clock->step},
                         {.gradient = nodes_[state::gradient], .loss = loss_.span()}, 0);
      if (whole_round) nodes_.recipe.method.play(nodes_, plan_.at(&clock->round));
      end_step(backend_, nodes_.diverged.span(), 1, clock_.span());
    });
    backend_.synchronize();
  }

 private:
  const Backend& backend_;
  RowLayout layout_;
  Dataset data_;
  NetworkGradients<Backend> gradients_;
  Config config_;
  LocalMeeting meeting_{1};
  LocalTransport<Backend> transport_;
  Nodes<Backend> nodes_;
  std::vector<Topology> topologies_;
  RoundPlan<Backend> plan_;
  Buffer<Backend, double> loss_;      ///< [1, nodes]
  Buffer<Backend, StepClock> clock_;  ///< [1]
};

/// What a sample's forward and backward pass takes at least. The bytes are seven passes over the outputs of
/// convolutions, in fp32, as a fused implementation makes them: forward each is written, and read by the layer behind;
/// backward it is read for that layer's weights and for the normalization, and its gradient is written once and read
/// twice.
struct Floors {
  double flops = 0;  ///< multiplications and additions of layers with weights
  double bytes = 0;
};
Floors floors_of_sample(const Network& network) {
  constexpr double kPasses = 7;
  Floors floors;
  for (std::size_t i = 0; i < network.calls.size(); ++i) {
    double forward = 0;
    if (const auto* conv = std::get_if<Conv2dLayer>(&network.calls[i].layer)) {
      forward = 2.0 * conv->out_shape().size() * conv->in.channels * conv->kernel * conv->kernel;
      floors.bytes += kPasses * sizeof(float) * conv->out_shape().size();
    }
    if (const auto* dense = std::get_if<DenseLayer>(&network.calls[i].layer)) forward = 2.0 * dense->in * dense->out;
    floors.flops += forward * (i == 0 ? 2 : 3);  // nobody wants the input's gradient
  }
  return floors;
}

void report(benchmark::State& state, const Network& network, std::int64_t images_a_step) {
  const double images = static_cast<double>(state.iterations() * images_a_step);
  const Floors floors = floors_of_sample(network);
  state.counters["images"] = benchmark::Counter(images, benchmark::Counter::kIsRate);
  state.counters["flops"] = benchmark::Counter(images * floors.flops, benchmark::Counter::kIsRate);
  state.counters["floor_bytes"] = benchmark::Counter(images * floors.bytes, benchmark::Counter::kIsRate);
}

void time_on_cpu(benchmark::State& state, const Network& network, bool whole_round) {
  const int nodes = static_cast<int>(state.range(0)), threads = static_cast<int>(state.range(1));
  const Cpu cpu = tested_cpu(threads);
  Training<Cpu> training(cpu, network, nodes, kCpuBatch);
  for (int i = 0; i < 3; ++i) training.step(whole_round);
  for (auto _ : state) training.step(whole_round);
  report(state, network, std::int64_t{nodes} * kCpuBatch);
}

/// `memory`: by how many bytes the GPU's free memory shrank; `of_copy`: floor_bytes over the bytes that its own copies
/// read and write in the same time.
void time_on_gpu(benchmark::State& state, const Network& network, bool whole_round) {
  const int nodes = static_cast<int>(state.range(0)), batch = static_cast<int>(state.range(1));
  const Cuda gpu;
  const std::int64_t free_before = gpu.free_bytes();
  const double copied = large_copy_bandwidth(gpu, free_before, 3);
  Training<Cuda> training(gpu, network, nodes, batch);
  for (int i = 0; i < 3; ++i) training.step(whole_round);
  for (auto _ : state) training.step(whole_round);
  report(state, network, std::int64_t{nodes} * batch);
  state.counters["memory"] = static_cast<double>(free_before - gpu.free_bytes());
  state.counters["of_copy"] =
      benchmark::Counter(state.counters["floor_bytes"].value / copied, benchmark::Counter::kIsRate);
}

struct Case {
  std::string name;
  Network network;
  std::vector<std::int64_t> cpu_nodes;
  std::vector<std::vector<std::int64_t>> on_gpu;  ///< nodes and batch
};

/// How convolutions are computed on a GPU.
struct Products {
  std::string name;
  Precision precision;
  ConvolutionCode code = ConvolutionCode::kOwn;
};

void register_on_gpu(const Case& c, const Products& products, const std::string& name, bool whole_round) {
  Network network = c.network;
  set_precision(network, products.precision);
  set_convolution_code(network, products.code);
  const auto time = [=](benchmark::State& state) { time_on_gpu(state, network, whole_round); };
  auto* const benchmark = benchmark::RegisterBenchmark((name + "/cuda/" + products.name).c_str(), time);
  benchmark->ArgNames({"nodes", "batch"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const auto& nodes_and_batch : c.on_gpu) benchmark->Args(nodes_and_batch);
}

void register_case(const Case& c, bool whole_round) {
  const std::string name = (whole_round ? "network_round/" : "network_gradients/") + c.name;
  const auto on_cpu = [=](benchmark::State& state) { time_on_cpu(state, c.network, whole_round); };
  benchmark::RegisterBenchmark(name.c_str(), on_cpu)
      ->ArgNames({"nodes", "threads"})
      ->ArgsProduct({c.cpu_nodes, {1, 2}})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
  if (!Cuda::is_available()) return;
  std::vector<Products> all = {{"tf32", Precision::kTf32}, {"fp32", Precision::kFp32}};
  if (cudnn_problem().empty())
    for (const Products& own : std::vector(all))
      all.push_back({"cudnn_" + own.name, own.precision, ConvolutionCode::kCudnn});
  for (const Products& products : all)
    if (c.name != "lenet5" || products.precision == Precision::kFp32) register_on_gpu(c, products, name, whole_round);
}

void register_benchmarks() {
  const Case cases[] = {
      {"lenet5", make_lenet5(kCifarImage, kClasses, Norm::kBatch), {8, 64}, {{64, 32}, {1024, 32}, {1024, 16}}},
      {"resnet20", make_resnet20(kCifarImage, kClasses, Norm::kBatch), {8}, {{64, 32}, {64, 16}, {8, 16}, {256, 32}}},
      {"vgg11", make_vgg11(kCifarImage, kClasses, Norm::kBatch), {8}, {{64, 32}, {64, 16}, {8, 32}}}};
  for (const Case& c : cases)
    for (const bool whole_round : {false, true}) register_case(c, whole_round);
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
