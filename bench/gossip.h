// The nodes of the gossip benchmark: the emulation's own state and rounds, fed with random gradients.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "bench/gossip_case.h"
#include "bench/random_task.h"
#include "host/algorithms/sgp.h"
#include "host/algorithms/sparse_push.h"
#include "host/local_transport.h"
#include "kernels/repeated_work.h"
#include "kernels/traffic.h"
#include "kernels/update_mix.h"

namespace sparsepush {

/// What host/emulator.h does between two gradients, over and over: update, select, deliver, mix and de-bias.
template <class Backend>
class Gossip {
 public:
  Gossip(const Backend& backend, const GossipCase& c)
      : case_(c),
        backend_(backend),
        config_(config_of(c)),
        task_(sizes_of_layout(c.layout)),
        layout_(c.row_layout()),
        meeting_(1),
        transport_(meeting_, {.all_nodes = c.nodes}),
        nodes_(backend, transport_, layout_, config_, {.error_memory = !c.dense(), .messages = !c.dense()}, 0),
        topologies_{make_topology(config_.topology, c.nodes, 1)},
        plan_(backend, topologies_, {config_.algorithm.averaging_rate}, transport_.shard()),
        due_(backend, 1, 1) {
    nodes_.settings.assign(std::vector<SgdSettings>{{.lr = 0.01f, .momentum = 0.9f, .weight_decay = 1e-4f}});
    fill_distinct_rows(backend, nodes_.x.view(), [&](int node, float* row) { task_.initialize(100, node, row); });
    const auto gradients = task_.make_gradients(backend, transport_.shard());
    gradients->compute(backend, {}, {.gradient = nodes_.gradient.view(), .loss = {}}, 0);
    for (int g = 1; g < c.gradients; ++g) {
      waiting_.emplace_back(backend, c.nodes, static_cast<int>(layout_.row));
      gradients->compute(backend, {}, {.gradient = waiting_.back().view(), .loss = {}}, g);
    }
    for (int g = 0; g < c.gradients; ++g) rounds_.push_back(std::make_unique<RepeatedWork<Backend>>());
  }

  const Nodes<Backend>& nodes() const { return nodes_; }
  std::int64_t edges() const { return plan_.messages(0).front(); }

  void round() {
    rounds_[gradient_]->run(backend_, [&] {
      const PlannedRound round = plan_.load(0, due_.span().data());
      case_.dense() ? sgp(nodes_, round) : sparse_push(nodes_, round);
    });
    take_next_gradient();
  }

  // Stages of a round.
  void update() {
    if (case_.dense()) {
      local_step(nodes_);
    } else {
      update_select(backend_, *nodes_.selection,
                    {.sgd = nodes_.sgd(), .error = nodes_.error->view(), .messages = nodes_.messages()});
    }
    take_next_gradient();
  }
  void send() {
    const PlannedRound round = plan_.load(0, due_.span().data());
    case_.dense() ? nodes_.send_rows(round) : nodes_.send_messages(round);
  }
  void mix() {
    const PlannedRound round = plan_.load(0, due_.span().data());
    if (case_.dense()) {
      dense_mix(backend_, {.x = nodes_.x.view(), .halo = nodes_.halo_rows(), .edges = round.edges});
    } else {
      push_sum_mix(backend_, {.x = nodes_.x.view(),
                              .messages = nodes_.messages(),
                              .entries = nodes_.entries->span(),
                              .edges = round.edges});
    }
    nodes_.mix_push_weights(round);
  }

  /// Of dense rounds: update and mix in one pass.
  void update_and_mix() {
    const PlannedRound round = plan_.load(0, due_.span().data());
    update_mix(backend_, nodes_.backend_layout, {.sgd = nodes_.sgd(), .edges = round.edges});
    take_next_gradient();
  }

  /// Selection alone is measured on the error array, which receives new values before each call.
  void refill_error() {
    copy_within(backend_, nodes_.error->span().data(), nodes_.gradient.span().data(),
                nodes_.error->span().size_bytes());
    take_next_gradient();
  }
  void select() { topk_select(backend_, *nodes_.selection, nodes_.error->view(), nodes_.messages()); }

 private:
  /// Buffers change places, memory does not: each gradient's recorded round finds it again.
  void take_next_gradient() {
    if (waiting_.empty()) return;
    std::swap(nodes_.gradient, waiting_[next_waiting_]);
    next_waiting_ = (next_waiting_ + 1) % waiting_.size();
    gradient_ = (gradient_ + 1) % rounds_.size();
  }

  const GossipCase case_;
  const Backend& backend_;
  Config config_;
  RandomTask task_;
  RowLayout layout_;
  LocalMeeting meeting_;
  LocalTransport<Backend> transport_;
  Nodes<Backend> nodes_;
  std::vector<Topology> topologies_;
  RoundPlan<Backend> plan_;
  Buffer<Backend, std::int64_t> due_;                           ///< [1] always round 0
  std::vector<Buffer<Backend, float>> waiting_;                 ///< [gradients - 1] the one in use was here longest
  std::vector<std::unique_ptr<RepeatedWork<Backend>>> rounds_;  ///< [gradients]
  std::size_t gradient_ = 0, next_waiting_ = 0;
};

}  // namespace sparsepush
