#include "host/state/verbs.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "host/state/row_batches.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/mixing/dense_mix.h"
#include "kernels/mixing/difference_mix.h"
#include "kernels/mixing/mean_rows.h"
#include "kernels/mixing/push_sum_mix.h"
#include "kernels/mixing/update_mix.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

/// Returns the edges of a round in which the first `rows` slots hear themselves alone, with weight 1.
template <class Backend>
RoundEdges own_edges(const Nodes<Backend>& n, int rows) {
  return {.begin = n.own_begin.span().first(rows + 1),
          .slot = {},
          .weight = {},
          .self_weight = n.own_weight.span().first(rows)};
}

/// Some neighbouring slots.
struct Slots {
  int first, count;
};

/// Returns the slots that nodes hear: those of interior ones are the local rows.
template <class Backend>
Slots heard_by(const Nodes<Backend>& n, MixedNodes nodes) {
  return {0, static_cast<int>(n.extent.rows + (nodes == MixedNodes::kInterior ? 0 : n.extent.halo))};
}

/// Computes to += eta (P - I) Q of the slots for the rows of `to` that are mixed.
template <class Backend>
void mix_q(Nodes<Backend>& n, MatrixView<float> to, Slots slots, const RoundEdges& edges,
           MixedNodes mixed = MixedNodes::kAll) {
  const auto [first, count] = slots;
  if (sends_rows(*n.recipe.compressor)) {
    const MatrixView<float> q = n.state.slots(state::q).rows_from(first, count);
    dense_mix(n.backend, {.x = to, .q = q, .edges = edges, .mixed = mixed, .workspace = n.workspace.span()});
  } else {
    const Messages all = n.messages();
    push_sum_mix(n.backend, {.x = to,
                             .messages = {all.position.rows_from(first, count), all.value.rows_from(first, count)},
                             .entries = n.message_entries.span().subspan(first, count),
                             .edges = edges,
                             .mixed = mixed});
  }
}

/// Returns the rows that nodes hear of an array that was sent.
template <class Backend>
MatrixView<float> sent_rows(const Nodes<Backend>& n, const Array<float>& q, MixedNodes nodes) {
  const MatrixView<float> slots = n.state.slots(q);
  CHECK(slots.rows == n.extent.rows + n.extent.halo, q.name, " is mixed, but in no message");
  return slots.rows_from(0, heard_by(n, nodes).count);
}

/// Returns the blocks as ops take them; `due` [1] in backend memory is the round's number.
template <class Backend>
ModelBlocks model_blocks(const Nodes<Backend>& n, const std::int64_t* due = nullptr) {
  return {.begin = n.block_begin.span(), .round = due, .params = n.extent.params};
}

/// Takes the mean over the nodes of all shards, which agree on what is due.
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
    n.transport.sum_in_order(sums,
                             [&](std::int64_t first, std::span<double> s) { add_rows(n.backend, rows, first, s); });
    const double weight = sum_of_weights(u, std::int64_t{r} * n.shard.all_nodes, n.shard.all_nodes);
    fill_rows(n.backend, rows, [&](int, float* row) {
      std::ranges::transform(sums, row, [weight](double s) { return static_cast<float>(s / weight); });
    });
  }
}

/// Lists the arrays that the message holds, as a transport takes them.
template <class Backend>
std::vector<ExchangedArray> exchanged(const Nodes<Backend>& n, const Message& message) {
  StateList arrays = message.arrays;
  if (message.compressed) std::ranges::copy(n.recipe.compressor->messages, std::back_inserter(arrays));
  std::vector<ExchangedArray> all;
  for (const StateArray* array : arrays) {
    const auto bytes = n.state.bytes(*array);
    all.push_back({bytes.data, bytes.data + bytes.local_rows * bytes.row_bytes, bytes.row_bytes});
  }
  const std::span<std::byte> entries = std::as_writable_bytes(n.message_entries.span());
  const std::int64_t each = sizeof(n.message_entries.span()[0]);
  if (message.compressed) all.push_back({entries.data(), entries.data() + n.shard.rows() * each, each});
  return all;
}

}  // namespace

template <class Backend>
void keep_push_weights(Nodes<Backend>& n) {
  const auto u = n.list(state::u);
  copy_within(n.backend, n.list(state::sent_u).data(), u.data(), u.size_bytes());
}

template <class Backend>
void fill_halo(Nodes<Backend>& n, const PlannedRound& round, const Message& message) {
  if (n.shard.shards == 1) return;
  n.work.host_call([&n, arrays = exchanged(n, message), halo = round.halo](std::int64_t) {
    n.transport.exchange(n.backend, arrays, **halo);
  });
}

template <class Backend>
void send(Nodes<Backend>& n, const PlannedRound& round, const Outgoing<Backend>& outgoing) {
  fill_halo(n, round, outgoing.message);
  n.count(outgoing, round.copies);
}

template <class Backend>
void start_sending(Nodes<Backend>& n, const PlannedRound& round) {
  n.work.host_call([&n, arrays = exchanged(n, n.message->message), halo = round.halo](std::int64_t) {
    n.transport.start_exchange(n.backend, arrays, **halo);
  });
}

template <class Backend>
void finish_sending(Nodes<Backend>& n, const PlannedRound& round) {
  n.count(*n.message, round.copies);
  n.work.host_call([&n](std::int64_t) { n.transport.finish_exchange(); });
}

template <class Backend>
void mix_messages(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, MixedNodes nodes) {
  mix_q(n, n[to], heard_by(n, nodes), round.edges, nodes);
}

template <class Backend>
void add_messages(Nodes<Backend>& n, const Array<float>& to, MixedNodes nodes) {
  Slots slots = heard_by(n, nodes);
  if (nodes == MixedNodes::kBoundary) slots = {n.shard.rows(), slots.count - n.shard.rows()};
  if (slots.count > 0)
    mix_q(n, n.state.slots(to).rows_from(slots.first, slots.count), slots, own_edges(n, slots.count));
}

template <class Backend>
void add(Nodes<Backend>& n, const Array<float>& to, const Array<float>& rows) {
  dense_mix(n.backend,
            {.x = n[to], .q = n[rows], .edges = own_edges(n, n.shard.rows()), .workspace = n.workspace.span()});
}

template <class Backend>
void mix(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q,
         MixedNodes nodes) {
  dense_mix(
      n.backend,
      {.x = n[to], .q = sent_rows(n, q, nodes), .edges = round.edges, .mixed = nodes, .workspace = n.workspace.span()});
}

template <class Backend>
void mix_differences(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q,
                     MixedNodes nodes) {
  difference_mix(n.backend, {.sum = n[to], .q = sent_rows(n, q, nodes), .edges = round.edges, .mixed = nodes});
}

template <class Backend>
void mix_push_weights(Nodes<Backend>& n, const PlannedRound& round) {
  const MatrixView<double> sent = n.state.slots(state::sent_u);
  mix_push_weights(n.backend, round.edges, std::span<const double>(sent.data, sent.size()), n.list(state::u));
}

template <class Backend>
void cut_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block) {
  cut_block(n.backend, {.x = n[state::x],
                        .weight = n[*n.recipe.method.block_weights],
                        .blocks = model_blocks(n, round.number),
                        .block = n[block],
                        .u = n.list(state::sent_u),
                        .bytes = n.message->bytes.span()});
}

template <class Backend>
void mix_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block, MixedNodes nodes) {
  const MatrixView<float> blocks = sent_rows(n, block, nodes);
  const MatrixView<double> u = n.state.slots(state::sent_u).rows_from(0, blocks.rows);
  mix_block(n.backend, {.x = n[state::x],
                        .weight = n[*n.recipe.method.block_weights],
                        .blocks = model_blocks(n, round.number),
                        .block = blocks,
                        .u = std::span<const double>(u.data, u.size()),
                        .edges = round.edges,
                        .mixed = nodes});
}

template <class Backend>
void debias_blocks(Nodes<Backend>& n) {
  debias_blocks(n.backend, n[state::x], n[*n.recipe.method.block_weights], model_blocks(n), n[state::z]);
}

template <class Backend>
void update_and_mix(Nodes<Backend>& n, const PlannedRound& round) {
  if (n.shard.shards == 1 && fuses(n.recipe)) {
    update_mix(n.backend, n.backend_layout, {.sgd = n.sgd(), .edges = round.edges, .workspace = n.workspace.span()});
    send(n, round);  // only counts: no row is remote
  } else {
    local_step(n);
    send(n, round);
    mix(n, round, state::x, state::x);
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

template void keep_push_weights(Nodes<Cpu>&);
template void fill_halo(Nodes<Cpu>&, const PlannedRound&, const Message&);
template void send(Nodes<Cpu>&, const PlannedRound&, const Outgoing<Cpu>&);
template void start_sending(Nodes<Cpu>&, const PlannedRound&);
template void finish_sending(Nodes<Cpu>&, const PlannedRound&);
template void mix_messages(Nodes<Cpu>&, const PlannedRound&, const Array<float>&, MixedNodes);
template void add_messages(Nodes<Cpu>&, const Array<float>&, MixedNodes);
template void add(Nodes<Cpu>&, const Array<float>&, const Array<float>&);
template void mix(Nodes<Cpu>&, const PlannedRound&, const Array<float>&, const Array<float>&, MixedNodes);
template void mix_differences(Nodes<Cpu>&, const PlannedRound&, const Array<float>&, const Array<float>&, MixedNodes);
template void mix_push_weights(Nodes<Cpu>&, const PlannedRound&);
template void cut_block(Nodes<Cpu>&, const PlannedRound&, const Array<float>&);
template void mix_block(Nodes<Cpu>&, const PlannedRound&, const Array<float>&, MixedNodes);
template void debias_blocks(Nodes<Cpu>&);
template void average(Nodes<Cpu>&, const Array<float>&, const Outgoing<Cpu>&, Due);
template void update_and_mix(Nodes<Cpu>&, const PlannedRound&);
template void keep_push_weights(Nodes<Cuda>&);
template void fill_halo(Nodes<Cuda>&, const PlannedRound&, const Message&);
template void send(Nodes<Cuda>&, const PlannedRound&, const Outgoing<Cuda>&);
template void start_sending(Nodes<Cuda>&, const PlannedRound&);
template void finish_sending(Nodes<Cuda>&, const PlannedRound&);
template void mix_messages(Nodes<Cuda>&, const PlannedRound&, const Array<float>&, MixedNodes);
template void add_messages(Nodes<Cuda>&, const Array<float>&, MixedNodes);
template void add(Nodes<Cuda>&, const Array<float>&, const Array<float>&);
template void mix(Nodes<Cuda>&, const PlannedRound&, const Array<float>&, const Array<float>&, MixedNodes);
template void mix_differences(Nodes<Cuda>&, const PlannedRound&, const Array<float>&, const Array<float>&, MixedNodes);
template void mix_push_weights(Nodes<Cuda>&, const PlannedRound&);
template void cut_block(Nodes<Cuda>&, const PlannedRound&, const Array<float>&);
template void mix_block(Nodes<Cuda>&, const PlannedRound&, const Array<float>&, MixedNodes);
template void debias_blocks(Nodes<Cuda>&);
template void average(Nodes<Cuda>&, const Array<float>&, const Outgoing<Cuda>&, Due);
template void update_and_mix(Nodes<Cuda>&, const PlannedRound&);

}  // namespace sparsepush
