// The nodes of the gossip benchmark: the emulation's own state and rounds, fed with random gradients.
#pragma once
#include <utility>
#include <vector>

#include "bench/host/state/gossip_case.h"
#include "bench/host/state/random_task.h"
#include "host/compressors/top_k.h"
#include "host/state/verbs.h"
#include "host/transports/transport.h"
#include "kernels/backend/repeated_work.h"
#include "kernels/messages/topk/topk_select.h"
#include "kernels/mixing/update_mix.h"

namespace sparsepush {

/// What host/state/emulator.h does between two gradients, over and over: update, select, deliver, mix and de-bias. For
/// the nodes of one shard, which `transport` connects with the others.
template <class Backend>
class Gossip {
 public:
  Gossip(const Backend& backend, Transport<Backend>& transport, const GossipCase& c)
      : case_(c),
        backend_(backend),
        config_(config_of(c)),
        task_(sizes_of_layout(c.layout)),
        layout_(c.row_layout()),
        topologies_{make_topology(config_.topology, c.nodes, 1)},
        plan_(backend,
              topology_rules(topologies_, 1, [this](int, std::int64_t) { return config_.algorithm.averaging_rate; }),
              transport.shard()),
        nodes_(backend, transport, layout_,
               {.recipe = recipe_of(config_),
                .algorithm = {config_.algorithm},
                .seed = {0},
                .halo_slots = plan_.halo_slots()}),
        due_(backend, 1, 1) {
    plan_.play(0);
    nodes_.settings.assign(std::vector<SgdSettings>{{.lr = 0.01f, .momentum = 0.9f, .weight_decay = 1e-4f}});
    fill_distinct_rows(backend, nodes_[state::x], [&](int node, float* row) { task_.initialize(100, node, row); });
    const auto gradients = task_.make_gradients(backend, transport.shard());
    gradients->compute(backend, {}, {.gradient = nodes_[state::gradient], .loss = {}}, 0);
    for (int g = 1; g < c.gradients; ++g) {
      waiting_.emplace_back(backend, nodes_.shard.rows(), static_cast<int>(layout_.row));
      gradients->compute(backend, {}, {.gradient = waiting_.back().view(), .loss = {}}, g);
    }
  }

  const Nodes<Backend>& nodes() const { return nodes_; }
  std::int64_t edges() const { return std::ssize(topologies_.front().round(0).edges); }

  void round() {
    nodes_.work.run(backend_, static_cast<int>(gradient_), 0, [&] {
      const PlannedRound round = plan_.at(due_.span().data());
      nodes_.recipe.method.play(nodes_, round);
    });
    take_next_gradient();
  }

  // Stages of a round.
  void update() {
    if (case_.dense())
      local_step(nodes_);
    else
      update_and_compress(nodes_);
    take_next_gradient();
  }
  void send() {
    const PlannedRound round = plan_.at(due_.span().data());
    keep_push_weights(nodes_);
    sparsepush::send(nodes_, round);
  }
  void mix() {
    const PlannedRound round = plan_.at(due_.span().data());
    if (case_.dense())
      sparsepush::mix(nodes_, round, state::x, state::x);
    else
      mix_messages(nodes_, round, state::x);
    mix_push_weights(nodes_, round);
  }

  /// Of dense rounds: update and mix in one pass.
  void update_and_mix() {
    const PlannedRound round = plan_.at(due_.span().data());
    update_mix(backend_, nodes_.backend_layout,
               {.sgd = nodes_.sgd(), .edges = round.edges, .workspace = nodes_.workspace.span()});
    take_next_gradient();
  }

  /// Selection alone is measured on the error array, which receives new values before each call.
  void refill_error() {
    const MatrixView<float> error = nodes_[state::error];
    copy_within(backend_, error.data, nodes_[state::gradient].data, error.size() * sizeof(float));
    take_next_gradient();
  }
  void select() {
    topk_select(backend_, nodes_.template made<SelectionMemory<Backend>>(), nodes_[state::error], nodes_.messages());
  }

 private:
  /// Buffers change places, memory does not: each gradient's recorded round finds it again.
  void take_next_gradient() {
    if (waiting_.empty()) return;
    nodes_.state.swap(state::gradient, waiting_[next_waiting_]);
    next_waiting_ = (next_waiting_ + 1) % waiting_.size();
    gradient_ = (gradient_ + 1) % case_.gradients;
  }

  const GossipCase case_;
  const Backend& backend_;
  Config config_;
  RandomTask task_;
  RowLayout layout_;
  std::vector<Topology> topologies_;
  RoundPlan<Backend> plan_;
  Nodes<Backend> nodes_;
  Buffer<Backend, std::int64_t> due_;            ///< [1] always round 0
  std::vector<Buffer<Backend, float>> waiting_;  ///< [gradients - 1] the one in use was here longest
  int gradient_ = 0;
  std::size_t next_waiting_ = 0;
};

}  // namespace sparsepush
