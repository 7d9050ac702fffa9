// The nodes of a shard, and the verbs that methods are written in.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "host/algorithms/methods.h"
#include "host/rounds/round_plan.h"
#include "host/transports/transport.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/queued_array.h"
#include "kernels/backend/repeated_work.h"
#include "kernels/messages/low_rank.h"
#include "kernels/messages/random_k.h"
#include "kernels/messages/round_draws.h"
#include "kernels/messages/topk/selection_memory.h"
#include "kernels/messages/traffic.h"
#include "kernels/mixing/flag_due.h"
#include "kernels/nodes/cuda_layout.h"
#include "kernels/nodes/debias.h"
#include "kernels/nodes/sgd_update.h"
#include "kernels/nodes/state.h"
#include "kernels/nodes/subtract.h"
#include "models/task.h"

namespace sparsepush {

/// What the nodes of a shard are made from.
struct NodesPlan {
  Rows rows;
  std::vector<AlgorithmConfig> algorithm;  ///< [replicas] that may differ in scope, keep and averaging rate
  std::uint64_t seed = 0;                  ///< of the first replica
  StateList own = {};                      ///< arrays of what is learned
  int halo_slots = 0;                      ///< bound of the remote in-neighbours of any round
  bool verify = false;                     ///< whether selections are done again and compared
  bool settings_of_rows = false;           ///< whether nodes of a replica differ in their settings
};

/// Entries of the longest sparse message of any replica; 0 where none is sent.
std::int64_t most_entries(const NodesPlan& plan, const RowLayout& layout);

/// Elements of a node's factors; 0 where none are kept.
std::int64_t factor_elements(const NodesPlan& plan, const RowLayout& layout);

/// A kind of message, and what one of each replica costs.
template <class Backend>
struct Outgoing {
  Message message;
  Buffer<Backend, MessageBytes> bytes;  ///< [replicas]
};

/// What a method has that decides itself when replicas exchange their message.
template <class Backend>
struct Trigger {
  Outgoing<Backend> monitor;             ///< exchanged in every step
  Buffer<Backend, VarianceLimit> limit;  ///< [replicas]
  Buffer<Backend, std::int32_t> due;     ///< [replicas] of this step
};

/// All local nodes, rows replica-major. A method is a function over this.
template <class Backend>
class Nodes {
 public:
  /// `backend`, `transport` and `layout` must outlive it.
  Nodes(const Backend& backend, Transport<Backend>& transport, const RowLayout& layout, const NodesPlan& plan);

  /// [local rows, columns] of an array of the run.
  template <class T>
  MatrixView<T> operator[](const Array<T>& array) const {
    return state.local(array);
  }
  /// The same as a list, of arrays with one element a row.
  template <class T>
  std::span<T> list(const Array<T>& array) const {
    const MatrixView<T> view = state.local(array);
    return {view.data, view.size()};
  }
  /// The elements of the local rows in host memory, and back.
  template <class T>
  std::vector<T> to_host(const Array<T>& array) const {
    const MatrixView<T> there = state.local(array);
    std::vector<T> here(there.size());
    copy(backend, here.data(), there.data, here.size() * sizeof(T));
    return here;
  }
  template <class T>
  void assign(const Array<T>& array, std::span<const std::type_identity_t<T>> values) const {
    const MatrixView<T> there = state.local(array);
    CHECK(values.size() == there.size(), "values ", values.size(), ", ", array.name, ' ', there);
    copy(backend, there.data, values.data(), values.size_bytes());
  }
  /// The messages of all slots.
  Messages messages() const { return {state.slots(state::position), state.slots(state::value)}; }
  /// Of this round's messages.
  RoundDraws draws() const { return {.seed = seed.span(), .round = round, .first_node = shard.first()}; }
  /// Arguments of this step's SGD update.
  SgdUpdate sgd() const;
  /// Top-k of v's rows: Q into the messages, v <- v - Q; done again and compared if that is wanted.
  void select(const Array<float>& v);
  /// The same of X' + E, in one pass with the SGD step.
  void update_and_select();
  /// Entries with values of 16 bits, if they are wanted: what is cut off goes to v.
  void round_entries(const Array<float>& v);
  /// Room for what so many remote in-neighbours send; between steps, and records must begin anew.
  void allocate_halo(int halo_slots);
  /// Counts `copies` [local rows] messages, in backend memory, of replicas that are due.
  void count(const Outgoing<Backend>& sent, std::span<const std::int64_t> copies, Due due = {});

  const Backend& backend;
  Transport<Backend>& transport;
  const Shard shard;
  const RowLayout& layout;
  const LayoutOn<Backend> backend_layout;
  const Rows rows;
  const AlgorithmConfig algorithm;  ///< in all that replicas have in common
  const bool verify;
  Extent extent;
  const StateList arrays;  ///< in the order of checkpoints
  State<Backend> state;
  std::optional<SelectionMemory<Backend>> selection;  ///< of compressors that select the largest
  std::optional<RandomPlans<Backend>> random_plans;   ///< of those that keep what is drawn
  const LowRankPlan low_rank_plan;                    ///< of those that make factors
  Buffer<Backend, LowRankTensor> low_rank_tensors;    ///< the plan's
  Buffer<Backend, std::uint64_t> seed;                ///< [replicas]
  const std::int64_t* round = nullptr;                ///< [1] number of the round that is played, in backend memory
  Buffer<Backend, std::int64_t> message_entries;      ///< [slots] how many entries of each message count
  Buffer<Backend, std::int64_t> own_begin;            ///< [slots + 1], and
  Buffer<Backend, float> own_weight;                  ///< [slots]: a round in which everyone hears itself alone
  Buffer<Backend, std::int64_t> chain_copies;         ///< [local rows] messages of a node in an exact mean
  Buffer<Backend, std::int64_t> block_begin;          ///< [blocks + 1], of methods that mix by blocks
  std::optional<Outgoing<Backend>> message, final_message;
  std::optional<Trigger<Backend>> trigger;
  QueuedArray<Backend, SgdSettings> settings;  ///< [replicas], or [rows] where some nodes do not learn
  Buffer<Backend, std::uint8_t> diverged;      ///< [local rows]
  Buffer<Backend, std::int64_t> sent;          ///< [kSentCounts, local rows]
  RepeatedWork<Backend> work;                  ///< records of steps; verbs tell it what no graph can hold

 private:
  void verify_messages(const Array<float>& v);
};

/// X' = X - a D along the gradient at Z, without communication.
template <class Backend>
void local_step(Nodes<Backend>& n) {
  n.rows.optimizer.step(n);
}

/// Q = C(v) into the messages; v <- v - Q.
template <class Backend>
void compress(Nodes<Backend>& n, const Array<float>& v) {
  n.rows.compressor->compress(n, v);
}

/// to += rows.
template <class Backend>
void add(Nodes<Backend>& n, const Array<float>& to, const Array<float>& rows);

/// X' = X - a G(Z); V = X' + E; Q = C(V) into the messages; E <- V - Q.
template <class Backend>
void update_and_compress(Nodes<Backend>& n) {
  const auto& in_one_pass = n.rows.compressor->update_and_compress;
  if (fuses(n.rows) && in_one_pass) return in_one_pass(n);
  local_step(n);
  add(n, state::error, state::x);
  compress(n, state::error);
}

/// difference = a - b.
template <class Backend>
void subtract(Nodes<Backend>& n, const Array<float>& a, const Array<float>& b, const Array<float>& difference) {
  subtract(n.backend, n[a], n[b], n[difference]);
}

/// to = from.
template <class Backend>
void copy_rows(Nodes<Backend>& n, const Array<float>& from, const Array<float>& to) {
  const MatrixView<float> rows = n[from];
  copy_within(n.backend, n[to].data, rows.data, rows.size() * sizeof(float));
}

/// u as it is sent and mixed in this round.
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

/// to += eta (P - I) Q.
template <class Backend>
void mix_messages(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to);

/// to += Q for every slot, `to` being an array of slots.
template <class Backend>
void add_messages(Nodes<Backend>& n, const Array<float>& to);

/// to += eta (P - I) q with rows that were sent; q may be `to` itself.
template <class Backend>
void mix(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q);

/// to = eta (P - I) q with rows that were sent, summed up by differences: over in-edges, w_ij (q_j - q_i).
template <class Backend>
void mix_differences(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& to, const Array<float>& q);

/// u+ = u + eta (P - I) u with u as it was kept, and Z+ = X+ / u+ with it, which is nowhere stored.
template <class Backend>
void mix_push_weights(Nodes<Backend>& n, const PlannedRound& round);

/// The block that is due, of x and of its weights: into `block` and into u as it is sent.
template <class Backend>
void cut_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block);

/// x += eta (P - I) x within that block, and likewise its weights, with what was cut and sent.
template <class Backend>
void mix_block(Nodes<Backend>& n, const PlannedRound& round, const Array<float>& block);

/// z of methods that mix by blocks, from x and the blocks' weights.
template <class Backend>
void debias_blocks(Nodes<Backend>& n);

/// An exact mean over the nodes of each replica that is due, x_i = (float)(sum x / sum u), counted as 2 (N - 1)
/// messages that go along a chain of the nodes and back.
template <class Backend>
void average(Nodes<Backend>& n, const Array<float>& x, const Outgoing<Backend>& outgoing, Due due = {});

/// Gives a task what it takes gradients and scores at: x and u, or z alone, which is computed here unless it is x.
template <class Backend>
NodeParameters parameters_of(Nodes<Backend>& n, const Task& task) {
  if (n.rows.method.block_weights) {
    debias_blocks(n);
    return {.x = n[state::z], .u = task.wants_z() ? std::span<double>{} : n.list(state::u)};
  }
  if (!task.wants_z()) return {.x = n[state::x], .u = n.list(state::u)};
  if (!n.state.has(state::z)) return {.x = n[state::x], .u = {}};
  debias(n.backend, n[state::x], n.list(state::u), n[state::z]);
  return {.x = n[state::z], .u = {}};
}

/// X' = X - a G(Z); sends the message, which holds X'; X+ = X' + eta (P - I) X'. Where all nodes are local, X' need not
/// be sent anywhere, and one pass takes X to X+.
template <class Backend>
void update_and_mix(Nodes<Backend>& n, const PlannedRound& round);

}  // namespace sparsepush
