// The verbs that methods are written in. Each is done for all local nodes at once; n is what they are.
#pragma once
#include <concepts>
#include <span>

#include "host/state/nodes.h"
#include "kernels/mixing/round_edges.h"
#include "kernels/nodes/debias.h"
#include "kernels/nodes/subtract.h"
#include "models/task.h"

namespace sparsepush {

/// Takes the step X' = X - a D along the gradient at Z, without communication.
template <class Backend>
void local_step(Nodes<Backend>& n) {
  n.recipe.optimizer.step(n);
}

/// Compresses: Q = C(v) into the messages; v <- v - Q.
template <class Backend>
void compress(Nodes<Backend>& n, const Array<float>& v) {
  n.recipe.compressor->compress(n, v);
}

/// Adds rows: to += rows.
template <class Backend>
void add(Nodes<Backend>& n, const Array<float>& to, const Array<float>& rows);

/// Takes the step with error memory: X' = X - a G(Z); V = X' + E; Q = C(V) into the messages; E <- V - Q.
template <class Backend>
void update_and_compress(Nodes<Backend>& n) {
  const auto& in_one_pass = n.recipe.compressor->update_and_compress;
  if (fuses(n.recipe) && in_one_pass) return in_one_pass(n);
  local_step(n);
  add(n, state::error, state::x);
  compress(n, state::error);
}

/// Subtracts rows: difference = a - b.
template <class Backend>
void subtract(Nodes<Backend>& n, const Array<float>& a, const Array<float>& b, const Array<float>& difference) {
  subtract(n.backend, n[a], n[b], n[difference]);
}

/// Copies rows: to = from.
template <class Backend>
void copy_rows(Nodes<Backend>& n, const Array<float>& from, const Array<float>& to) {
  const MatrixView<float> rows = n[from];
  copy_within(n.backend, n[to].data, rows.data, rows.size() * sizeof(float));
}

/// Copies u to state::sent_u, which is sent and mixed with in this round.
template <class Backend>
void keep_push_weights(Nodes<Backend>& n);

/// Fills the halo's rows of what the message holds with what other shards have there.
template <class Backend>
void fill_halo(Nodes<Backend>& n, const PlannedRound& round, const Message& message);

/// Sends a message along every edge of the round: fills the halo's rows, and counts it.
template <class Backend>
void send(Nodes<Backend>& n, const PlannedRound& round, const Outgoing<Backend>& outgoing);
template <class Backend>
void send(Nodes<Backend>& n, const PlannedRound& round) {
  send(n, round, *n.message);
}

/// The halves of `send`: the first starts to fill the halo's rows; the second counts, and waits for them. Between the
/// two the message's arrays must stay as they are, and nobody may read their halos.
template <class Backend>
void start_sending(Nodes<Backend>& n, const PlannedRound& round);
template <class Backend>
void finish_sending(Nodes<Backend>& n, const PlannedRound& round);

/// Does `send`, and mixes by mix_nodes(MixedNodes), which may not change what the message holds. Where transports let
/// ops go on meanwhile, nodes that hear only nodes of their own shard are mixed while messages travel, and then the
/// others. Methods that mix the message's rows in place cannot do so: a node that is done would be read by others.
template <class Backend, std::invocable<MixedNodes> MixNodes>
void send_and_mix(Nodes<Backend>& n, const PlannedRound& round, const MixNodes& mix_nodes) {
  if (!n.transport.overlaps()) {
    send(n, round);
    mix_nodes(MixedNodes::kAll);
    return;
  }
  start_sending(n, round);
  mix_nodes(MixedNodes::kInterior);
  finish_sending(n, round);
  mix_nodes(MixedNodes::kBoundary);
}

/// Mixes what was compressed and sent: to += eta (P - I) Q.
template <class Backend>
void mix_messages(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to,
                  MixedNodes nodes = MixedNodes::kAll);

/// Does `send` and `mix_messages`.
template <class Backend>
void send_and_mix(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to) {
  send_and_mix(n, round, [&](MixedNodes nodes) { mix_messages(n, round, to, nodes); });
}

/// Adds what was compressed: to += Q for every slot, `to` being an array of slots. Of kInterior these are the slots of
/// local nodes, of kBoundary those of the halo, which come later.
template <class Backend>
void add_messages(Nodes<Backend>& n, const Array<float>& to, MixedNodes nodes = MixedNodes::kAll);

/// Mixes rows that were sent: to += eta (P - I) q. q may be `to` itself; then all nodes are mixed in one call.
template <class Backend>
void mix(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q,
         MixedNodes nodes = MixedNodes::kAll);

/// Mixes rows that were sent, summed up by differences: to = eta (P - I) q, over in-edges w_ij (q_j - q_i).
template <class Backend>
void mix_differences(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q,
                     MixedNodes nodes = MixedNodes::kAll);

/// Mixes push-sum weights: u+ = u + eta (P - I) u with u as it was kept. So Z+ = X+ / u+, which is nowhere stored. All
/// at once when the message is there: one number a node is soon done.
template <class Backend>
void mix_push_weights(Nodes<Backend>& n, const PlannedRound& round);

/// Copies the block that is due, of x and of its weights, into `block` and into u as it is sent.
template <class Backend>
void cut_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block);

/// Mixes the block that was cut and sent: x += eta (P - I) x within it, and its weights in the same way.
template <class Backend>
void mix_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block,
               MixedNodes nodes = MixedNodes::kAll);

/// Computes z of methods that mix by blocks, from x and the blocks' weights.
template <class Backend>
void debias_blocks(Nodes<Backend>& n);

/// Takes the exact mean over the nodes of each replica that is due, x_i = (float)(sum x / sum u), counted as 2 (N - 1)
/// messages that go along a chain of the nodes and back.
template <class Backend>
void average(Nodes<Backend>& n, const Array<float>& x, const Outgoing<Backend>& outgoing, Due due = {});

/// Gives a task what it takes gradients and scores at: x and u, or z alone, which is computed here unless it is x.
template <class Backend>
NodeParameters parameters_of(Nodes<Backend>& n, const Task& task) {
  if (n.recipe.method.block_weights) {
    debias_blocks(n);
    return {.x = n[state::z], .u = task.wants_z() ? std::span<double>{} : n.list(state::u)};
  }
  if (!task.wants_z()) return {.x = n[state::x], .u = n.list(state::u)};
  if (!n.state.has(state::z)) return {.x = n[state::x], .u = {}};
  debias(n.backend, n[state::x], n.list(state::u), n[state::z]);
  return {.x = n[state::z], .u = {}};
}

/// Takes the step and mixes: X' = X - a G(Z); sends the message, which holds X'; X+ = X' + eta (P - I) X'. Where all
/// nodes are local, X' need not be sent anywhere, and one pass takes X to X+. Elsewhere all nodes wait for the message,
/// which is mixed in place.
template <class Backend>
void update_and_mix(Nodes<Backend>& n, const PlannedRound& round);

}  // namespace sparsepush
