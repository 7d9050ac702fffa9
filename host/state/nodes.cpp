#include "host/state/nodes.h"

#include <algorithm>
#include <iterator>

#include "host/state/row_blocks.h"
#include "kernels/messages/round_values.h"
#include "kernels/messages/topk/topk_select.h"
#include "kernels/messages/topk/update_select.h"
#include "kernels/messages/topk/verify_selection.h"
#include "kernels/messages/wire_size.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/mixing/dense_mix.h"
#include "kernels/mixing/difference_mix.h"
#include "kernels/mixing/mean_rows.h"
#include "kernels/mixing/push_sum_mix.h"
#include "kernels/mixing/update_mix.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

std::int64_t entries_of(const Rows& rows, const AlgorithmConfig& algorithm, const RowLayout& layout) {
  return rows.compressor && rows.compressor->selection ? rows.compressor->selection(algorithm, layout).entries : 0;
}

bool selects(const NodesPlan& plan) { return plan.rows.compressor && plan.rows.compressor->selection; }

std::vector<TopkPlan> topk_plans(const NodesPlan& plan, const RowLayout& layout) {
  std::vector<TopkPlan> plans;
  for (const AlgorithmConfig& algorithm : plan.algorithm)
    plans.push_back(plan.rows.compressor->selection(algorithm, layout));
  return plans;
}

Extent extent_of(const Shard& shard, const RowLayout& layout, const NodesPlan& plan) {
  Extent extent{.rows = shard.rows(),
                .halo = plan.halo_slots,
                .replicas = shard.replicas,
                .params = layout.params,
                .row = layout.row,
                .entries = most_entries(plan, layout),
                .factor = factor_elements(plan, layout)};
  set_blocks(extent, plan.rows.method, plan.algorithm.front(), layout);
  return extent;
}

template <class Backend>
std::optional<SelectionMemory<Backend>> selection_of(const Backend& backend, const Shard& shard,
                                                     const RowLayout& layout, const NodesPlan& plan) {
  if (!selects(plan) || plan.rows.compressor->at_random) return std::nullopt;
  return SelectionMemory<Backend>(backend, shard.rows(), layout, topk_plans(plan, layout));
}

template <class Backend>
std::optional<RandomPlans<Backend>> random_plans_of(const Backend& backend, const RowLayout& layout,
                                                    const NodesPlan& plan) {
  if (!selects(plan) || !plan.rows.compressor->at_random) return std::nullopt;
  return RandomPlans<Backend>(backend, layout, topk_plans(plan, layout));
}

LowRankPlan low_rank_plan_of(const NodesPlan& plan, const RowLayout& layout) {
  if (!plan.rows.compressor || !plan.rows.compressor->low_rank) return {};
  return plan.rows.compressor->low_rank(plan.algorithm.at(0), layout);
}

/// Those of the halo come with its messages.
std::vector<std::int64_t> entries_of_slots(const Extent& extent, const RowLayout& layout, const NodesPlan& plan) {
  std::vector<std::int64_t> entries(extent.rows + extent.halo, extent.entries);
  for (std::int64_t row = 0; row < extent.rows; ++row)
    entries[row] = entries_of(plan.rows, plan.algorithm[row / (extent.rows / extent.replicas)], layout);
  return entries;
}

std::vector<std::uint64_t> seeds_of(const NodesPlan& plan) {
  std::vector<std::uint64_t> seeds;
  for (std::size_t r = 0; r < plan.algorithm.size(); ++r) seeds.push_back(plan.seed + r);
  return seeds;
}

std::vector<std::int64_t> copies_in_chain(const Shard& shard) {
  std::vector<std::int64_t> copies;
  for (int row = 0; row < shard.rows(); ++row) {
    const int node = shard.id_of(row).node;
    copies.push_back((node < shard.all_nodes - 1) + (node > 0));
  }
  return copies;
}

template <class Backend>
std::optional<Outgoing<Backend>> outgoing(const Backend& backend, const std::optional<Message>& message,
                                          const Extent& extent, const RowLayout& layout, const NodesPlan& plan) {
  if (!message) return std::nullopt;
  std::vector<MessageBytes> bytes;
  for (const AlgorithmConfig& algorithm : plan.algorithm) {
    bytes.push_back(bytes_of(*message, plan.rows, algorithm, layout, extent));
    if (message->compressed && plan.rows.compressor->differs_on_wire)  // beside what the backend measures of each
      bytes.back().wire -= wire_size_bound(layout.params, entries_of(plan.rows, algorithm, layout));
  }
  return Outgoing<Backend>{*message, {backend, bytes}};
}

constexpr double kThresholdAParameter = 4.91e-5;  // the guide of [FDA]'s authors

template <class Backend>
std::optional<Trigger<Backend>> trigger_of(const Backend& backend, const Extent& extent, const RowLayout& layout,
                                           const NodesPlan& plan) {
  auto monitor = outgoing(backend, plan.rows.method.monitor, extent, layout, plan);
  if (!monitor) return std::nullopt;
  std::vector<VarianceLimit> limit;
  for (const AlgorithmConfig& algorithm : plan.algorithm)
    limit.push_back(
        {.threshold = algorithm.threshold.value_or(kThresholdAParameter * static_cast<double>(layout.params)),
         .heading_counts = algorithm.monitor == "linear"});
  return Trigger<Backend>{std::move(*monitor), {backend, limit}, {backend, 1, static_cast<int>(extent.replicas)}};
}

}  // namespace

std::int64_t most_entries(const NodesPlan& plan, const RowLayout& layout) {
  std::int64_t most = 0;
  for (const AlgorithmConfig& algorithm : plan.algorithm)
    most = std::max(most, entries_of(plan.rows, algorithm, layout));
  return most;
}

std::int64_t factor_elements(const NodesPlan& plan, const RowLayout& layout) {
  return low_rank_plan_of(plan, layout).factors;
}

template <class Backend>
Nodes<Backend>::Nodes(const Backend& backend, Transport<Backend>& transport, const RowLayout& layout,
                      const NodesPlan& plan)
    : backend(backend),
      transport(transport),
      shard(transport.shard()),
      layout(layout),
      backend_layout(layout_on(backend, layout)),
      rows(plan.rows),
      algorithm(plan.algorithm.at(0)),
      verify(plan.verify),
      extent(extent_of(shard, layout, plan)),
      arrays(state_of(rows, plan.own)),
      state(backend, planned_state(arrays, rows, extent), extent),
      selection(selection_of(backend, shard, layout, plan)),
      random_plans(random_plans_of(backend, layout, plan)),
      low_rank_plan(low_rank_plan_of(plan, layout)),
      low_rank_tensors(backend, low_rank_plan.tensors),
      seed(backend, seeds_of(plan)),
      message_entries(backend, entries_of_slots(extent, layout, plan)),
      own_begin(backend, 1, static_cast<int>(extent.rows + extent.halo) + 1),
      own_weight(backend, std::vector<float>(extent.rows + extent.halo, 1.0f)),
      chain_copies(backend, copies_in_chain(shard)),
      block_begin(backend, extent.blocks > 0 ? block_begins(layout, extent.blocks) : std::vector<std::int64_t>{}),
      message(outgoing(backend, rows.method.message, extent, layout, plan)),
      final_message(outgoing(backend, rows.method.final_message, extent, layout, plan)),
      trigger(trigger_of(backend, extent, layout, plan)),
      settings(backend, plan.settings_of_rows ? shard.rows() : shard.replicas),
      diverged(backend, 1, shard.rows()),
      sent(backend, kSentCounts, shard.rows()) {
  CHECK(static_cast<int>(plan.algorithm.size()) == shard.replicas, "settings of ", plan.algorithm.size(),
        " replicas, there are ", shard.replicas);
  for (const AlgorithmConfig& other : plan.algorithm)
    CHECK(other.levels == algorithm.levels && other.rank == algorithm.rank &&
              other.value_bits == algorithm.value_bits && other.blocks == algorithm.blocks,
          "replicas differ in levels, rank, value_bits or blocks");
}

template <class Backend>
void Nodes<Backend>::allocate_halo(int halo_slots) {
  if (halo_slots == extent.halo) return;
  extent.halo = halo_slots;
  state.resize(planned_state(arrays, rows, extent));
  std::vector<std::int64_t> entries = message_entries.to_host();
  entries.resize(extent.rows + extent.halo, extent.entries);
  message_entries = {backend, entries};
  own_begin = {backend, 1, static_cast<int>(entries.size()) + 1};
  own_weight = {backend, std::vector<float>(entries.size(), 1.0f)};
}

template <class Backend>
SgdUpdate Nodes<Backend>::sgd() const {
  return {.x = state.local(state::x),
          .momentum = state.local(state::momentum),
          .gradient = state.local(state::gradient),
          .u = list(state::u),
          .settings = settings.span(),
          .nesterov = rows.optimizer.nesterov,
          .diverged = diverged.span(),
          .z = rows.method.block_weights ? state.local(state::z) : MatrixView<float>{},
          .steps = rows.method.steps_into ? state.local(*rows.method.steps_into) : MatrixView<float>{}};
}

template <class Backend>
void Nodes<Backend>::select(const Array<float>& v) {
  topk_select(backend, *selection, state.local(v), messages());
  if (verify) verify_messages(v);
}

template <class Backend>
void Nodes<Backend>::update_and_select() {
  update_select(backend, *selection, {.sgd = sgd(), .error = state.local(state::error), .messages = messages()});
  if (verify) verify_messages(state::error);
}

template <class Backend>
void Nodes<Backend>::round_entries(const Array<float>& v) {
  if (algorithm.value_bits == 32) return;
  round_values(backend, {.v = state.local(v), .messages = messages(), .entries = message_entries.span()});
}

template <class Backend>
void Nodes<Backend>::verify_messages(const Array<float>& v) {
  work.host_call([this, v](std::int64_t) { verify_selection(backend, *selection, state.local(v), messages()); });
}

template <class Backend>
void Nodes<Backend>::count(const Outgoing<Backend>& outgoing, std::span<const std::int64_t> copies, Due due) {
  const Traffic traffic{.copies = copies, .each = outgoing.bytes.span(), .sent = sent.view(), .due = due};
  if (!outgoing.message.compressed || !rows.compressor->differs_on_wire) return add_traffic(backend, traffic);
  const std::span<const std::int64_t> entries = message_entries.span().first(shard.rows());
  add_traffic(backend, traffic, {.layout = backend_layout, .messages = messages(), .entries = entries});
}

template <class Backend>
void keep_push_weights(Nodes<Backend>& n) {
  const auto u = n.list(state::u);
  copy_within(n.backend, n.list(state::sent_u).data(), u.data(), u.size_bytes());
}

template <class Backend>
void fill_halo(Nodes<Backend>& n, const PlannedRound& round, const Message& message) {
  if (n.shard.shards == 1) return;
  StateList arrays = message.arrays;
  if (message.compressed) std::ranges::copy(n.rows.compressor->messages, std::back_inserter(arrays));
  std::vector<ExchangedArray> exchanged;
  for (const StateArray* array : arrays) {
    const auto bytes = n.state.bytes(*array);
    exchanged.push_back({bytes.data, bytes.data + bytes.local_rows * bytes.row_bytes, bytes.row_bytes});
  }
  std::int64_t* entries = n.message_entries.span().data();
  if (message.compressed) exchanged.push_back({entries, entries + n.shard.rows(), sizeof(*entries)});
  n.work.host_call([&n, exchanged = std::move(exchanged), halo = round.halo](std::int64_t) {
    n.transport.exchange(n.backend, exchanged, *halo);
  });
}

template <class Backend>
void send(Nodes<Backend>& n, const PlannedRound& round, const Outgoing<Backend>& outgoing) {
  fill_halo(n, round, outgoing.message);
  n.count(outgoing, round.copies);
}

/// Of a round in which the first `rows` slots hear themselves alone, with weight 1.
template <class Backend>
RoundEdges own_edges(const Nodes<Backend>& n, int rows) {
  return {.begin = n.own_begin.span().first(rows + 1),
          .slot = {},
          .weight = {},
          .self_weight = n.own_weight.span().first(rows)};
}

/// to += eta (P - I) Q, for the rows of `to`.
template <class Backend>
void mix_q(Nodes<Backend>& n, MatrixView<float> to, const RoundEdges& edges) {
  if (sends_rows(*n.rows.compressor)) {
    dense_mix(n.backend, {.x = to, .q = n.state.slots(state::q), .edges = edges});
  } else {
    push_sum_mix(n.backend, {.x = to, .messages = n.messages(), .entries = n.message_entries.span(), .edges = edges});
  }
}

template <class Backend>
void mix_messages(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to) {
  mix_q(n, n[to], round.edges);
}

template <class Backend>
void add_messages(Nodes<Backend>& n, const Array<float>& to) {
  const MatrixView<float> slots = n.state.slots(to);
  mix_q(n, slots, own_edges(n, slots.rows));
}

template <class Backend>
void add(Nodes<Backend>& n, const Array<float>& to, const Array<float>& rows) {
  dense_mix(n.backend, {.x = n[to], .q = n[rows], .edges = own_edges(n, n.shard.rows())});
}

/// The rows of all slots of what was sent.
template <class Backend>
MatrixView<float> sent_rows(const Nodes<Backend>& n, const Array<float>& q) {
  const MatrixView<float> slots = n.state.slots(q);
  CHECK(slots.rows == n.extent.rows + n.extent.halo, q.name, " is mixed, but in no message");
  return slots;
}

template <class Backend>
void mix(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q) {
  dense_mix(n.backend, {.x = n[to], .q = sent_rows(n, q), .edges = round.edges});
}

template <class Backend>
void mix_differences(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q) {
  difference_mix(n.backend, {.sum = n[to], .q = sent_rows(n, q), .edges = round.edges});
}

template <class Backend>
void mix_push_weights(Nodes<Backend>& n, const PlannedRound& round) {
  const MatrixView<double> sent = n.state.slots(state::sent_u);
  mix_push_weights(n.backend, round.edges, std::span<const double>(sent.data, sent.size()), n.list(state::u));
}

/// As ops take them; `due` [1] in backend memory: the round.
template <class Backend>
RowBlocks row_blocks(const Nodes<Backend>& n, const std::int64_t* due = nullptr) {
  return {.begin = n.block_begin.span(), .round = due, .params = n.extent.params};
}

template <class Backend>
void cut_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block) {
  cut_block(n.backend, {.x = n[state::x],
                        .weight = n[*n.rows.method.block_weights],
                        .blocks = row_blocks(n, round.number),
                        .block = n[block],
                        .u = n.list(state::sent_u),
                        .bytes = n.message->bytes.span()});
}

template <class Backend>
void mix_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block) {
  const MatrixView<double> u = n.state.slots(state::sent_u);
  mix_block(n.backend, {.x = n[state::x],
                        .weight = n[*n.rows.method.block_weights],
                        .blocks = row_blocks(n, round.number),
                        .block = sent_rows(n, block),
                        .u = std::span<const double>(u.data, u.size()),
                        .edges = round.edges});
}

template <class Backend>
void debias_blocks(Nodes<Backend>& n) {
  debias_blocks(n.backend, n[state::x], n[*n.rows.method.block_weights], row_blocks(n), n[state::z]);
}

template <class Backend>
void update_and_mix(Nodes<Backend>& n, const PlannedRound& round) {
  if (n.shard.shards == 1 && fuses(n.rows)) {
    update_mix(n.backend, n.backend_layout, {.sgd = n.sgd(), .edges = round.edges});
    send(n, round);  // counts: no row is remote
  } else {
    local_step(n);
    send(n, round);
    mix(n, round, state::x, state::x);
  }
}

/// The mean over the nodes of all shards, which agree on what is due.
template <class Backend>
void average_over_shards(Nodes<Backend>& n, const Array<float>& x, Due due) {
  const int nodes = n.shard.nodes();
  std::vector<std::int32_t> due_here(due.size());
  copy(n.backend, due_here.data(), due.data(), due.size_bytes());
  std::vector<double> u(n.shard.all_rows());
  n.transport.gather(n.to_host(state::u), u);
  for (int r = 0; r < n.shard.replicas; ++r) {
    if (!is_due(due_here, r)) continue;
    const auto rows = n[x].rows_from(r * nodes, nodes);
    std::vector<double> sums(rows.cols);
    n.transport.sum_in_order(sums, [&](std::span<double> s) { add_rows(n.backend, rows, s); });
    const double weight = sum_of_weights(u, std::int64_t{r} * n.shard.all_nodes, n.shard.all_nodes);
    fill_rows(n.backend, rows, [&](int, float* row) {
      std::ranges::transform(sums, row, [weight](double s) { return static_cast<float>(s / weight); });
    });
  }
}

template <class Backend>
void average(Nodes<Backend>& n, const Array<float>& x, const Outgoing<Backend>& outgoing, Due due) {
  if (n.shard.shards == 1) {
    mean_rows(n.backend, {.x = n[x], .u = n.list(state::u), .replicas = n.shard.replicas, .due = due});
  } else {
    n.work.host_call([&n, x, due](std::int64_t) { average_over_shards(n, x, due); });
  }
  n.count(outgoing, n.chain_copies.span(), due);
}

template class Nodes<Cpu>;
template class Nodes<Cuda>;

template void keep_push_weights(Nodes<Cpu>&);
template void fill_halo(Nodes<Cpu>&, const PlannedRound&, const Message&);
template void send(Nodes<Cpu>&, const PlannedRound&, const Outgoing<Cpu>&);
template void mix_messages(Nodes<Cpu>&, const PlannedRound&, const Array<float>&);
template void add_messages(Nodes<Cpu>&, const Array<float>&);
template void add(Nodes<Cpu>&, const Array<float>&, const Array<float>&);
template void mix(Nodes<Cpu>&, const PlannedRound&, const Array<float>&, const Array<float>&);
template void mix_differences(Nodes<Cpu>&, const PlannedRound&, const Array<float>&, const Array<float>&);
template void mix_push_weights(Nodes<Cpu>&, const PlannedRound&);
template void cut_block(Nodes<Cpu>&, const PlannedRound&, const Array<float>&);
template void mix_block(Nodes<Cpu>&, const PlannedRound&, const Array<float>&);
template void debias_blocks(Nodes<Cpu>&);
template void average(Nodes<Cpu>&, const Array<float>&, const Outgoing<Cpu>&, Due);
template void update_and_mix(Nodes<Cpu>&, const PlannedRound&);
template void keep_push_weights(Nodes<Cuda>&);
template void fill_halo(Nodes<Cuda>&, const PlannedRound&, const Message&);
template void send(Nodes<Cuda>&, const PlannedRound&, const Outgoing<Cuda>&);
template void mix_messages(Nodes<Cuda>&, const PlannedRound&, const Array<float>&);
template void add_messages(Nodes<Cuda>&, const Array<float>&);
template void add(Nodes<Cuda>&, const Array<float>&, const Array<float>&);
template void mix(Nodes<Cuda>&, const PlannedRound&, const Array<float>&, const Array<float>&);
template void mix_differences(Nodes<Cuda>&, const PlannedRound&, const Array<float>&, const Array<float>&);
template void mix_push_weights(Nodes<Cuda>&, const PlannedRound&);
template void cut_block(Nodes<Cuda>&, const PlannedRound&, const Array<float>&);
template void mix_block(Nodes<Cuda>&, const PlannedRound&, const Array<float>&);
template void debias_blocks(Nodes<Cuda>&);
template void average(Nodes<Cuda>&, const Array<float>&, const Outgoing<Cuda>&, Due);
template void update_and_mix(Nodes<Cuda>&, const PlannedRound&);

}  // namespace sparsepush
