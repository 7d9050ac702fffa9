// The nodes of the gossip benchmark: the emulation's own state and rounds, fed with random gradients.
#pragma once
#include <array>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "bench/gossip_case.h"
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
        layout_(c.row_layout()),
        meeting_(1),
        transport_(meeting_, {.all_nodes = c.nodes}),
        nodes_(backend, transport_, layout_, config_, {.error_memory = !c.dense(), .messages = !c.dense()}, 0),
        topologies_{make_topology(config_.topology, c.nodes, 1)},
        plan_(backend,
              topology_rules(topologies_, 1, [this](int, std::int64_t) { return config_.algorithm.averaging_rate; }),
              transport_.shard()),
        due_(backend, 1, 1) {
    plan_.play(0);
    nodes_.settings.assign(std::vector<SgdSettings>{{.lr = 0.01f, .momentum = 0.9f, .weight_decay = 1e-4f}});
    fill(nodes_.x, 100, 0.05f);
    fill(nodes_.gradient, 1, 0.1f);
    for (int g = 1; g < c.gradients; ++g) {
      waiting_.emplace_back(backend, c.nodes, static_cast<int>(layout_.row));
      fill(waiting_.back(), 1 + g, 0.1f);
    }
  }

  const Nodes<Backend>& nodes() const { return nodes_; }
  std::int64_t edges() const { return plan_.messages(0).front(); }

  void round() {
    nodes_.work.run(backend_, gradient_, 0, [&] {
      const PlannedRound round = plan_.at(due_.span().data());
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
    const PlannedRound round = plan_.at(due_.span().data());
    case_.dense() ? nodes_.send_rows(round) : nodes_.send_messages(round);
  }
  void mix() {
    const PlannedRound round = plan_.at(due_.span().data());
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
    const PlannedRound round = plan_.at(due_.span().data());
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
    gradient_ = (gradient_ + 1) % case_.gradients;
  }

  /// Normal values whose scale differs between nodes' segments as it does between layers. Rows repeat after the first
  /// `kDistinct` or so: neighbours differ all the same, and the host is not what is measured.
  void fill(Buffer<Backend, float>& values, unsigned seed, float scale) {
    constexpr std::int64_t kDistinct = 64, kDistinctElements = 1 << 27;
    const auto distinct =
        static_cast<int>(std::min<std::int64_t>(case_.nodes, std::max(kDistinct, kDistinctElements / layout_.row)));
    const MatrixView<float> all = values.view();
    const std::size_t row_bytes = layout_.row * sizeof(float);
    const Cpu host;
    std::vector<std::vector<float>> rows(host.threads(), std::vector<float>(layout_.row));
    host.pool().run(distinct, [&](std::int64_t node, int worker) {
      draw_row(rows[worker], seed * 7919 + static_cast<unsigned>(node) + 1, scale);
      copy(backend_, all.row(node), rows[worker].data(), row_bytes);
    });
    for (int first = distinct; first < case_.nodes; first += distinct)
      copy_within(backend_, all.row(first), all.row(0), std::min(distinct, case_.nodes - first) * row_bytes);
  }

  void draw_row(std::vector<float>& row, unsigned seed, float scale) const {
    std::minstd_rand generator(seed);
    std::normal_distribution<float> normal;
    std::array<float, 4096> normals;
    for (float& v : normals) v = normal(generator);
    for (const Segment& s : layout_.segments) {
      const float layer_scale = scale / std::sqrt(1 + static_cast<float>(s.size) / 1000);
      for (std::int64_t j = s.begin; j < s.begin + s.size; ++j) {
        const auto bits = static_cast<std::uint32_t>(generator());  // low bits: which normal; high bits: no two alike
        row[j] = layer_scale * normals[bits % 4096] * (1 + static_cast<float>(bits >> 12) * 0x1p-22f);
      }
    }
  }

  const GossipCase case_;
  const Backend& backend_;
  Config config_;
  RowLayout layout_;
  LocalMeeting meeting_;
  LocalTransport<Backend> transport_;
  Nodes<Backend> nodes_;
  std::vector<Topology> topologies_;
  RoundPlan<Backend> plan_;
  Buffer<Backend, std::int64_t> due_;            ///< [1] always round 0
  std::vector<Buffer<Backend, float>> waiting_;  ///< [gradients - 1] the one in use was here longest
  int gradient_ = 0;
  std::size_t next_waiting_ = 0;
};

}  // namespace sparsepush
