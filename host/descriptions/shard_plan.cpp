#include "host/descriptions/shard_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <type_traits>
#include <vector>

#include "data/memory_plan.h"
#include "host/descriptions/run_plan.h"
#include "host/descriptions/text_table.h"
#include "host/state/emulator.h"
#include "host/state/nodes_plan.h"
#include "host/transports/halo.h"
#include "kernels/messages/row_packets.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMostRounds = 16;                    // that are made to take means
constexpr std::int64_t kMostEdges = std::int64_t{1} << 26;  // in all of them and all shards

/// Returns the bytes of a row of all arrays that travel with a message.
std::int64_t packet_bytes_of(const Experiment& experiment, const std::optional<Message>& message) {
  const Recipe& recipe = experiment.recipe();
  if (!recipe.method.needs.topology || !message) return 0;
  StateList arrays = message->arrays;
  if (message->compressed) std::ranges::copy(recipe.compressor->messages, std::back_inserter(arrays));
  const Extent extent = extent_of(nodes_plan(experiment), experiment.layout(), experiment.config().run.nodes);
  std::vector<PacketArray> packet;
  for (const StateArray* array : arrays)
    packet.push_back({.rows = nullptr, .row_bytes = array->columns_in(extent) * element_bytes(array->dtype)});
  if (message->compressed) packet.push_back({.rows = nullptr, .row_bytes = sizeof(std::int64_t)});  // how many count
  return packet_bytes(packet);
}

}  // namespace

std::int64_t message_row_bytes(const Experiment& experiment) {
  return packet_bytes_of(experiment, experiment.recipe().method.message);
}

template <class Backend>
std::int64_t largest_packet_bytes(const Experiment& experiment) {
  std::int64_t most = 0;
  for (const std::optional<Message>& message :
       {experiment.recipe().method.message, experiment.recipe().method.final_message}) {
    const std::int64_t bytes = packet_bytes_of(experiment, message);
    if (std::is_same_v<Backend, Cuda> || bytes < kLargeRow) most = std::max(most, bytes);
  }
  return most;
}

ShardTraffic shard_traffic(const Experiment& experiment, const Shard& shard) {
  ShardTraffic traffic{.row_bytes = message_row_bytes(experiment)};
  if (traffic.row_bytes == 0) return traffic;
  const RoundRules rules = round_rules(experiment);
  const std::int64_t edges = std::ssize(experiment.topologies().front().round(0).edges) + shard.all_nodes;
  const std::int64_t fitting = std::clamp<std::int64_t>(kMostEdges / (edges * shard.shards), 1, kMostRounds);
  const std::int64_t rounds = rules.period > 0 ? std::min(rules.period, fitting) : fitting;
  for (std::int64_t t = 0; t < rounds; ++t) {
    const MadeRound round = make_round(rules, shard, t);
    traffic.sent_rows += static_cast<double>(round.halo.sent.size());
    traffic.received_rows += static_cast<double>(round.halo.nodes.size());
    traffic.crossing_edges +=
        static_cast<double>(std::ranges::count_if(round.slot, [&](int slot) { return slot >= shard.rows(); }));
  }
  for (double* sum : {&traffic.sent_rows, &traffic.received_rows, &traffic.crossing_edges})
    *sum /= static_cast<double>(rounds);
  return traffic;
}

template <class Backend>
std::string describe_shards(const Experiment& experiment) {
  const RunConfig& run = experiment.config().run;
  TextTable table{.header = {"shard", "nodes", "memory as a process", "edges from others", "rows received a round",
                             "bytes received", "rows sent", "bytes sent"},
                  .rows = {}};
  for (int s = 0; s < run.shards; ++s) {
    const Shard shard{s, run.shards, run.replicas, run.nodes};
    const ShardTraffic traffic = shard_traffic(experiment, shard);
    const auto bytes = static_cast<double>(traffic.row_bytes);
    const auto memory = static_cast<double>(plan_memory<Backend>(experiment, {s, 1}).total());
    table.rows.push_back({std::to_string(s), fmt::format("{} to {}", shard.first(), shard.first() + shard.nodes() - 1),
                          format_bytes(memory), fmt::format("{:.4g}", traffic.crossing_edges),
                          fmt::format("{:.4g}", traffic.received_rows), format_bytes(bytes * traffic.received_rows),
                          fmt::format("{:.4g}", traffic.sent_rows), format_bytes(bytes * traffic.sent_rows)});
  }
  std::string text = to_text(table, TextForm::kPlain);
  if (!experiment.recipe().method.needs.topology)
    text += fmt::format("a mean over the nodes: {} from each shard to the next one, and to all\n",
                        format_bytes(8.0 * static_cast<double>(experiment.layout().row)));
  return text;
}

template std::int64_t largest_packet_bytes<Cpu>(const Experiment&);
template std::int64_t largest_packet_bytes<Cuda>(const Experiment&);
template std::string describe_shards<Cpu>(const Experiment&);
template std::string describe_shards<Cuda>(const Experiment&);

}  // namespace sparsepush
