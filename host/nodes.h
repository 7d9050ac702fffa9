// The state of a shard's nodes, and the parts of a round that algorithms share.
#pragma once
#include <optional>
#include <vector>

#include "host/config.h"
#include "host/round_plan.h"
#include "host/transport.h"
#include "kernels/buffer.h"
#include "kernels/cuda_layout.h"
#include "kernels/dense_mix.h"
#include "kernels/push_sum_mix.h"
#include "kernels/repeated_work.h"
#include "kernels/update_select.h"

namespace sparsepush {

/// What nodes have sent so far, by every convention. Totals of all shards, but `wire`, which each shard counts for its
/// own nodes.
struct Traffic {
  std::vector<std::int64_t> messages, authors, coo32, dense;  ///< [replicas] messages and bytes
};

/// What an algorithm needs besides x, momentum and u, and how it communicates.
struct StatePlan {
  bool error_memory = false;
  bool messages = false;    ///< sparse messages
  bool dense_halo = false;  ///< rows of remote in-neighbours
};

/// What every node selects for its messages; identity keeps everything.
TopkPlan message_plan(const AlgorithmConfig& algorithm, const RowLayout& layout);

/// All local nodes, rows replica-major. An algorithm is a function over this.
template <class Backend>
class Nodes {
 public:
  /// halo_slots bounds the remote in-neighbours of any round.
  Nodes(const Backend& backend, Transport<Backend>& transport, const RowLayout& layout, const Config& config,
        const StatePlan& state, int halo_slots);

  /// Arguments of this step's SGD update.
  SgdUpdate sgd();
  /// `update_select`, and `verify_selection` if that is wanted.
  void update_and_select();
  /// Sends every local message along its edges: fills the halo's messages and u, and counts the bytes on the wire.
  void send_messages(const PlannedRound& round);
  /// The same for whole rows of x.
  void send_rows(const PlannedRound& round);
  /// The messages of all slots.
  Messages messages() { return {position->view(), value->view()}; }
  MatrixView<const float> halo_rows() const {
    return halo_x ? halo_x->view() : MatrixView<const float>{nullptr, 0, x.view().cols};
  }
  /// u += eta (P - I) u with the u that `send_messages` or `send_rows` delivered.
  void mix_push_weights(const PlannedRound& round);
  /// Counts what all shards have sent of messages[r] by the nodes of replica r, by every convention but `wire`.
  void count_messages(std::span<const std::int64_t> messages, bool dense);
  /// Counts the bytes on the wire of dense messages, copies[i] of local row i, in backend memory.
  void count_dense_wire(std::span<const std::int64_t> copies);
  /// Room for messages of so many remote in-neighbours; between steps, and what was received is lost.
  void allocate_halo(int halo_slots);

  const Backend& backend;
  Transport<Backend>& transport;
  const Shard shard;
  const RowLayout& layout;
  const LayoutOn<Backend> backend_layout;
  const bool nesterov;
  const bool identity;  ///< messages hold every entry and are counted as dense ones
  const bool verify;    ///< whether selections are done again and compared

  Buffer<Backend, float> x, momentum, gradient;  ///< [rows, layout.row]
  Buffer<Backend, double> u;                     ///< [rows]
  Buffer<Backend, double> u_slots;               ///< [slots] u before the round
  Buffer<Backend, SgdSettings> settings;         ///< [replicas]
  Buffer<Backend, std::uint8_t> diverged;        ///< [rows]
  std::optional<Buffer<Backend, float>> error;   ///< [rows, layout.row]
  std::optional<SelectionMemory<Backend>> selection;
  std::optional<Buffer<Backend, std::int32_t>> position;  ///< [slots, entries]
  std::optional<Buffer<Backend, float>> value;            ///< [slots, entries]
  std::optional<Buffer<Backend, std::int64_t>> entries;   ///< [slots] of each message
  std::optional<Buffer<Backend, float>> halo_x;           ///< [halo, layout.row]
  Buffer<Backend, std::int64_t> wire;                     ///< [rows] bytes sent by each local node
  Traffic traffic;

  RepeatedWork<Backend> work;  ///< records of steps; methods tell it what no graph can hold

 private:
  /// Fills the halo of `arrays` and of u.
  void exchange(const PlannedRound& round, std::vector<ExchangedArray> arrays);
};

/// One SGD step of every node without communication: X' = X - a G(Z).
template <class Backend>
void local_step(Nodes<Backend>& n) {
  sgd_update(n.backend, n.backend_layout, n.sgd());
}

/// One round of dense gossip: X+ = X + eta (P - I) X, u+ = u + eta (P - I) u.
template <class Backend>
void dense_round(Nodes<Backend>& n, const PlannedRound& round) {
  n.send_rows(round);
  dense_mix(n.backend, {.x = n.x.view(), .halo = n.halo_rows(), .edges = round.edges});
  n.mix_push_weights(round);
}

}  // namespace sparsepush
