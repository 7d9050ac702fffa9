#include "host/descriptions/run_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include "host/descriptions/shard_plan.h"
#include "host/records/checkpoint.h"
#include "host/state/emulator.h"
#include "host/state/nodes_plan.h"
#include "host/state/row_batches.h"
#include "host/transports/run_shards.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/mixing/dense_mix.h"

namespace sparsepush {
namespace {

Shard shard_of(const Experiment& experiment, int index) {
  const RunConfig& run = experiment.config().run;
  return {index, run.shards, run.replicas, run.nodes};
}

/// Returns the sizes of these shards together.
Extent extent_of(const Experiment& experiment, const ShardRange& shards) {
  int halo = 0, nodes = 0;
  for (int s = shards.first; s < shards.first + shards.count; ++s) {
    const Shard shard = shard_of(experiment, s);
    halo += topology_bounds(experiment.topologies(), shard).halo;
    nodes += shard.nodes();
  }
  return extent_of(nodes_plan(experiment, halo), experiment.layout(), nodes);
}

ShardRange all_shards(const Experiment& experiment) { return {0, experiment.config().run.shards}; }

Extent extent_of(const Experiment& experiment) { return extent_of(experiment, all_shards(experiment)); }

/// Adds arrays of one element type; leaves out empty ones.
class PlanBuilder {
 public:
  template <class T>
  void add(const std::string& name, const std::string& type, std::int64_t rows, std::int64_t cols,
           bool on_backend = true) {
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(rows, cols * static_cast<std::int64_t>(sizeof(T)), &bytes))
      bytes = std::numeric_limits<std::int64_t>::max();
    add({name, fmt::format("[{}, {}] {}", rows, cols, type), bytes, on_backend});
  }
  void add(const PlannedArray& array) {
    if (array.bytes > 0) plan_.arrays.push_back(array);
  }
  MemoryPlan take() { return std::move(plan_); }

 private:
  MemoryPlan plan_;
};

template <class T>
void add_array(PlanBuilder& plan, const PlannedState& planned, const Extent& extent, const std::string& type) {
  plan.add<T>(std::string(planned.array->name), type, planned.rows, planned.array->columns_in(extent));
}

void add_state(PlanBuilder& plan, const Extent& extent, const Experiment& experiment) {
  const StateList list = state_of(experiment.recipe(), own_state(experiment));
  for (const PlannedState& planned : planned_state(list, experiment.recipe(), extent)) {
    if (planned.array->dtype == Dtype::kF32) add_array<float>(plan, planned, extent, "f32");
    if (planned.array->dtype == Dtype::kF64) add_array<double>(plan, planned, extent, "f64");
    if (planned.array->dtype == Dtype::kI32) add_array<std::int32_t>(plan, planned, extent, "i32");
    if (planned.array->dtype == Dtype::kI64) add_array<std::int64_t>(plan, planned, extent, "i64");
  }
  plan.add<std::int64_t>("counts of what is sent", "i64", kSentCounts, extent.rows);
}

/// Bytes that a run takes besides its arrays, as measured with glibc 2.36 and OpenBLAS 0.3.21.
constexpr std::int64_t kProgramBytes = 14'000'000;

/// Counts the edges of all rounds of a period, of all replicas.
std::int64_t stored_edges(const Experiment& experiment) {
  std::int64_t edges = 0;
  for (const Topology& topology : experiment.topologies())
    for (const TopologyRound& round : topology.stored_rounds()) edges += static_cast<std::int64_t>(round.edges.size());
  return edges * experiment.config().run.replicas / std::ssize(experiment.topologies());
}

template <class Backend>
void add_topology(PlanBuilder& plan, const Experiment& experiment, const Extent& extent, const ShardRange& shards) {
  const RoundRules rules = round_rules(experiment);
  std::int64_t places = 0, edges = 0, sent = 0;
  for (int s = shards.first; s < shards.first + shards.count; ++s) {
    const Shard shard = shard_of(experiment, s);
    const RoundBounds bounds = rules.bounds(shard);
    places = std::max<std::int64_t>(places, RoundPlan<Backend>::places(rules, shard, bounds));
    edges += bounds.edges;
    sent += bounds.sent;
  }
  const std::int64_t period = rules.period;
  plan.add<Edge>("topology", "edges", period, stored_edges(experiment) / std::max<std::int64_t>(period, 1), false);
  plan.add({"round plan", fmt::format("{} rounds of {} edges", places, edges),
            places * (edges * 8 + extent.rows * (experiment.config().run.shards > 1 ? 21 : 20) + sent * 4)});
  if (rules.drawn && experiment.config().run.shards == 1)
    plan.add({"memory to draw rounds", fmt::format("{} edges", edges),
              RandomOutScratch<Backend>::bytes(extent.rows, edges)});
}

/// Counts the messages of an exact mean over the nodes of a replica.
double messages_in_mean(const Experiment& experiment) { return 2.0 * (experiment.config().run.nodes - 1); }

/// A number of messages. It is a double, as all traffic is: exact below 2^53, and without overflow.
struct MessageCount {
  double messages = 0;
  bool is_exact = true;
};

/// Estimates the messages of a topology that is drawn anew in each round: takes what some rounds have for all of them.
MessageCount messages_of_drawn(const Topology& topology, std::int64_t first_round, std::int64_t rounds,
                               std::int64_t stride) {
  constexpr std::int64_t kMostRounds = 32, kMostPairs = std::int64_t{1} << 27;
  const std::int64_t pairs = std::int64_t{topology.nodes()} * topology.nodes();
  const std::int64_t drawn = std::min(rounds, std::clamp<std::int64_t>(kMostPairs / pairs, 2, kMostRounds));
  std::vector<double> edges;
  for (std::int64_t k = 0; k < drawn; ++k)
    edges.push_back(static_cast<double>(topology.round(first_round + k * stride).edges.size()));
  if (edges.empty()) return {};
  const auto [least, most] = std::ranges::minmax(edges);
  const double mean = std::accumulate(edges.begin(), edges.end(), 0.0) / static_cast<double>(drawn);
  return {std::round(mean * static_cast<double>(rounds)), drawn == rounds || least == most};
}

/// Counts the messages of the replica of `topology` in `rounds` rounds, each `stride` after the one before.
MessageCount messages_in(const Experiment& experiment, const Topology& topology, std::int64_t first_round,
                         std::int64_t rounds, std::int64_t stride = 1) {
  if (!experiment.recipe().method.needs.topology) return {static_cast<double>(rounds) * messages_in_mean(experiment)};
  const std::int64_t period = topology.period();
  if (period == 0) return messages_of_drawn(topology, first_round, rounds, stride);
  MessageCount count;
  for (std::int64_t phase = 0; phase < period; ++phase) {
    const std::int64_t t = first_round + phase * stride;
    const std::int64_t times = (rounds - phase + period - 1) / period;
    if (times > 0) count.messages += static_cast<double>(times) * static_cast<double>(topology.round(t).edges.size());
  }
  return count;
}

void add(PlannedTraffic& traffic, const MessageCount& counted, const MessageBytes& each) {
  const double count = counted.messages;
  traffic.is_exact = traffic.is_exact && counted.is_exact;
  traffic.messages += count;
  traffic.authors += count * static_cast<double>(each.authors);
  traffic.coo32 += count * static_cast<double>(each.coo32);
  traffic.wire_bound += count * static_cast<double>(each.wire);
  traffic.dense += count * static_cast<double>(each.dense);
}

template <class Backend>
constexpr bool kOnGpu = std::is_same_v<Backend, Cuda>;

/// Bytes that Open MPI 4.1 takes in each of several processes of one machine, as measured.
constexpr std::int64_t kMpiBytes = 8'000'000;

/// Adds what a process of several takes besides its arrays: MPI, and packets in which rows travel; a GPU's are in
/// pinned host memory as well.
template <class Backend>
void add_process(PlanBuilder& plan, const Experiment& experiment, const ShardRange& shards) {
  plan.add({"MPI", "", kMpiBytes, false});
  std::int64_t packets = 0;
  for (int s = shards.first; s < shards.first + shards.count; ++s) {
    const RoundBounds bounds = topology_bounds(experiment.topologies(), shard_of(experiment, s));
    packets += bounds.halo + bounds.sent;
  }
  const std::int64_t row_bytes = largest_packet_bytes<Backend>(experiment);
  const std::string shape = fmt::format("{} of {} bytes", packets, row_bytes);
  plan.add({"packets of a round", shape, packets * row_bytes});
  if (kOnGpu<Backend>) plan.add({"packets on the host", shape, packets * row_bytes, false});
}

/// Counts the threads of each shard that have memory of their own.
template <class Backend>
int workers_per_shard(const RunConfig& run) {
  return kOnGpu<Backend> ? 1 : threads_per_shard(run.threads, run.shards);
}

/// Describes what a sync costs; how many there will be, nobody knows.
std::string describe_sync(const Experiment& experiment) {
  const MessageBytes each = bytes_of(*experiment.recipe().method.message, experiment.recipe(),
                                     experiment.config().algorithm, experiment.layout(), extent_of(experiment));
  return fmt::format("and in every sync: {:.0f} of {} bytes\n", messages_in_mean(experiment), each.wire);
}

/// Counts what the replica of `topology` will send.
PlannedTraffic traffic_of(const Experiment& experiment, const Topology& topology, const Extent& extent) {
  const Config& config = experiment.config();
  const Schedule& schedule = experiment.schedule();
  const Recipe& recipe = experiment.recipe();
  const std::int64_t gossip_rounds = schedule.rounds_in(schedule.sgd_steps());
  PlannedTraffic traffic;
  const auto& message = recipe.method.monitor ? recipe.method.monitor : recipe.method.message;
  if (message && recipe.method.block_weights) {
    MessageBytes each = bytes_of(*message, recipe, config.algorithm, experiment.layout(), extent);
    for (std::int64_t b = 0; b < std::min(extent.blocks, gossip_rounds); ++b) {
      each.authors = each.coo32 = each.wire = block_message_bytes(extent.params, extent.blocks, b);
      add(traffic,
          messages_in(experiment, topology, b, (gossip_rounds - b + extent.blocks - 1) / extent.blocks, extent.blocks),
          each);
    }
  } else if (message) {
    add(traffic, messages_in(experiment, topology, 0, gossip_rounds),
        bytes_of(*message, recipe, config.algorithm, experiment.layout(), extent));
  }
  if (!recipe.method.final_message || schedule.final_rounds() == 0) return traffic;
  const MessageBytes each =
      bytes_of(*recipe.method.final_message, recipe, config.algorithm, experiment.layout(), extent);
  const bool all_reduce = merges_by_all_reduce(config.algorithm);
  add(traffic,
      all_reduce ? MessageCount{messages_in_mean(experiment)}
                 : messages_in(experiment, topology, gossip_rounds, schedule.final_rounds()),
      each);
  return traffic;
}

}  // namespace

std::vector<PlannedTraffic> planned_traffic(const Experiment& experiment) {
  const Extent extent = extent_of(experiment);
  std::vector<PlannedTraffic> traffic;
  for (const Topology& topology : experiment.topologies()) {
    traffic.push_back(traffic_of(experiment, topology, extent));
    if (!traffic.back().is_exact) break;  // the others are about the same, and take as long to count
  }
  traffic.resize(experiment.config().run.replicas, traffic.back());
  return traffic;
}

template <class Backend>
MemoryPlan plan_memory(const Experiment& experiment) {
  return plan_memory<Backend>(experiment, all_shards(experiment));
}

template <class Backend>
MemoryPlan plan_memory(const Experiment& experiment, const ShardRange& shards) {
  const Config& config = experiment.config();
  const Extent extent = extent_of(experiment, shards);
  const int workers = shards.threads > 0 ? shards.threads : workers_per_shard<Backend>(config.run);
  PlanBuilder plan;
  add_state(plan, extent, experiment);
  const RunExtent run{.nodes = static_cast<int>(extent.rows / extent.replicas),
                      .replicas = config.run.replicas,
                      .shards = shards.count,
                      .threads = workers,
                      .cuda = kOnGpu<Backend>};
  if (const auto& compressor = experiment.recipe().compressor; compressor && compressor->memory) {
    PlannedArray largest;
    for (const Run& of : experiment.runs()) {
      const PlannedArray memory = compressor->memory(of.config.algorithm, experiment.layout(), run);
      if (memory.bytes > largest.bytes) largest = memory;
    }
    plan.add(largest);
  }
  plan.add<double>("means and sums of measures", "f64", shards.count, 2 * extent.row, false);
  plan.add<double>("weights of blocks", "f64", shards.count + 1, extent.rows * extent.blocks, false);
  const std::int64_t rows_a_shard = (extent.rows + shards.count - 1) / shards.count;
  plan.add({"rows on their way to files", fmt::format("{} shards", shards.count),
            shards.count * row_batch_bytes(rows_a_shard, extent.row * sizeof(float)), false});
  plan.add<float>("running statistics", "f32", extent.rows + shards.count, elements_of(experiment.task().statistics()));
  add_topology<Backend>(plan, experiment, extent, shards);
  if (kOnGpu<Backend>)
    plan.add<float>("memory to mix", "f32", shards.count,
                    dense_mix_workspace(rows_a_shard + extent.halo / shards.count, extent.row));
  for (const PlannedArray& array : experiment.task().planned_arrays(run)) plan.add(array);
  if (shards.count < config.run.shards) add_process<Backend>(plan, experiment, shards);
  plan.add({"program and libraries", "", kProgramBytes, false});
  plan.add({std::string(kReservedAddressSpace), fmt::format("{} threads", workers * shards.count),
            address_space_of_threads(workers * shards.count), false});
  return plan.take();
}

void check_run(Experiment& experiment) {
  experiment.check();
  const std::string& start = experiment.config().run.start;
  for (int run = 0; run < std::ssize(experiment.runs()) && !start.empty(); ++run) check_start(start, experiment, run);
}

template <class Backend>
std::string describe_run_plan(const Experiment& experiment) {
  const Schedule& schedule = experiment.schedule();
  const std::vector<PlannedTraffic> replicas = planned_traffic(experiment);
  const auto [least, most] = std::ranges::minmax(replicas, {}, &PlannedTraffic::messages);
  const PlannedTraffic traffic = most;
  const bool differ = least.messages < most.messages;
  const MemoryPlan memory = plan_memory<Backend>(experiment);
  std::string text = describe_memory(memory);
  if (kOnGpu<Backend>)
    text = fmt::format("on the GPU:\n{}\non the host:\n{}", describe_memory(memory.part(true)),
                       describe_memory(memory.part(false)));
  text += fmt::format("\nparameters a node: {} in {} tensors\n", experiment.layout().params,
                      experiment.layout().segments.size());
  text += fmt::format("steps: {} SGD + {} final rounds\n", schedule.sgd_steps(), schedule.final_rounds());
  const std::string about = traffic.is_exact ? "" : "about ";
  text += fmt::format("messages a replica: {}{:.0f}{}\n", about, traffic.messages,
                      differ ? ", at most: each has a topology of its own" : "");
  if (experiment.recipe().method.monitor) text += describe_sync(experiment);
  const auto line = [&](const char* name, double bytes, bool at_most) {
    text +=
        fmt::format("bytes {}: {}{:.0f} ({}{})\n", name, about, bytes, format_bytes(bytes), at_most ? ", at most" : "");
  };
  line("authors", traffic.authors, differ);
  line("coo32", traffic.coo32, differ);
  line("wire", traffic.wire_bound, traffic.is_exact && !experiment.recipe().method.monitor);
  line("dense", traffic.dense, differ);
  if (experiment.config().run.shards > 1) text += fmt::format("\n{}", describe_shards<Backend>(experiment));
  return text;
}

template MemoryPlan plan_memory<Cpu>(const Experiment&);
template MemoryPlan plan_memory<Cpu>(const Experiment&, const ShardRange&);
template MemoryPlan plan_memory<Cuda>(const Experiment&);
template MemoryPlan plan_memory<Cuda>(const Experiment&, const ShardRange&);
template std::string describe_run_plan<Cpu>(const Experiment&);
template std::string describe_run_plan<Cuda>(const Experiment&);

}  // namespace sparsepush
