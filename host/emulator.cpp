#include "host/emulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/algorithms/none.h"
#include "host/algorithms/scsp.h"
#include "host/algorithms/sgp.h"
#include "host/algorithms/sparse_push.h"
#include "host/measure.h"

namespace sparsepush {
namespace {

/// Writes the initial parameters of every local node.
template <class Backend>
void initialize(const Backend& backend, const Gradients<Backend>& gradients, MatrixView<float> x) {
  std::vector<float> row(x.cols);
  for (int i = 0; i < x.rows; ++i) {
    std::ranges::fill(row, 0.0f);
    gradients.initialize(i, row.data());
    copy(backend, x.row(i), row.data(), row.size() * sizeof(float));
  }
}

}  // namespace

template <class Backend>
Emulator<Backend>::Emulator(const Backend& backend, const Experiment& experiment, Transport<Backend>& transport)
    : backend_(backend),
      experiment_(experiment),
      gradients_(make_gradients(backend, experiment, transport.shard())),
      halo_slots_(RoundPlan<Backend>::halo_bound(experiment.topologies(), transport.shard())),
      nodes_(backend, transport, gradients_->layout(), experiment.config(), state_plan(experiment.config().algorithm),
             halo_slots_),
      plan_(backend, experiment.topologies(),
            std::vector<double>(experiment.config().run.replicas, experiment.config().algorithm.averaging_rate),
            transport.shard()) {
  loss_.sum.assign(nodes_.shard.rows(), 0.0);
  initialize(backend, *gradients_, nodes_.x.view());
}

template <class Backend>
void Emulator<Backend>::take_gradients() {
  gradients_->compute(backend_, {.x = nodes_.x.view(), .u = nodes_.u.span()}, static_cast<std::uint64_t>(step_),
                      nodes_.gradient.view(), loss_.sum);
  ++loss_.steps;
}

template <class Backend>
void Emulator<Backend>::run_algorithm() {
  set_learning_rates();
  const std::string& name = experiment_.config().algorithm.name;
  const auto round = experiment_.schedule().round_after(step_);
  if (name == "none") {
    none(nodes_);
  } else if (!round) {
    local_step(nodes_);
  } else if (name == "sgp") {
    sgp(nodes_, plan_.round(*round));
  } else {
    sparse_push(nodes_, plan_.round(*round));  // scsp differs after the last step only
  }
  ++step_;
  check_finite();
}

template <class Backend>
void Emulator<Backend>::run_final_round() {
  const Schedule& schedule = experiment_.schedule();
  const std::int64_t k = step_ - schedule.sgd_steps();
  if (k == 0) drop_error_memory(nodes_);
  if (experiment_.config().algorithm.final == "all_reduce") {
    final_all_reduce(nodes_);
  } else {
    if (!final_plan_)
      final_plan_.emplace(backend_, experiment_.topologies(),
                          std::vector<double>(experiment_.config().run.replicas, 1.0), nodes_.shard);
    final_gossip(nodes_, final_plan_->round(schedule.final_round(k)));
  }
  ++step_;
}

template <class Backend>
std::vector<MetricsRow> Emulator<Backend>::measure(bool ends_window) {
  auto rows = measure_nodes(backend_, experiment_, *gradients_, nodes_, loss_, step_);
  if (ends_window) {
    std::ranges::fill(loss_.sum, 0.0);
    loss_.steps = 0;
  }
  return rows;
}

template <class Backend>
void Emulator<Backend>::set_learning_rates() {
  const OptimizerConfig& optimizer = experiment_.config().optimizer;
  const SgdSettings settings{.lr = static_cast<float>(experiment_.schedule().learning_rate(step_)),
                             .momentum = static_cast<float>(optimizer.momentum),
                             .weight_decay = static_cast<float>(optimizer.weight_decay)};
  nodes_.settings.assign(std::vector(nodes_.shard.replicas, settings));
}

template <class Backend>
void Emulator<Backend>::check_finite() {
  const auto diverged = nodes_.diverged.to_host();
  const auto first = std::ranges::find(diverged, 1);
  if (first != diverged.end()) report_divergence(static_cast<int>(first - diverged.begin()));
}

template <class Backend>
void Emulator<Backend>::report_divergence(int row) const {
  std::vector<float> x(nodes_.layout.row);
  copy(backend_, x.data(), nodes_.x.view().row(row), x.size() * sizeof(float));
  std::string tensor = "error memory";
  for (std::size_t s = nodes_.layout.segments.size(); s-- > 0;) {
    const Segment& segment = nodes_.layout.segments[s];
    const auto values = std::span(x).subspan(segment.begin, segment.size);
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      tensor = gradients_->parameters()[s].name;
  }
  const NodeId id = nodes_.shard.id_of(row);
  throw Diverged(fmt::format("diverged at step {}: node {}{}, tensor {} is not finite; try a smaller optimizer.lr",
                             step_, id.node, nodes_.shard.replicas > 1 ? fmt::format(" of replica {}", id.replica) : "",
                             tensor));
}

template class Emulator<Cpu>;

}  // namespace sparsepush
