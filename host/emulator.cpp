#include "host/emulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/algorithms/none.h"
#include "host/algorithms/scsp.h"
#include "host/algorithms/sgp.h"
#include "host/algorithms/sparse_push.h"
#include "host/measure.h"
#include "host/row_blocks.h"
#include "host/running_statistics.h"

namespace sparsepush {
namespace {

/// What the algorithm called `name` does after the gradients of a step that ends with a gossip round.
template <class Backend>
auto algorithm_named(const std::string& name) {
  if (name == "none") return none<Backend>;
  if (name == "sgp") return sgp<Backend>;
  return sparse_push<Backend>;  // scsp differs after the last step only
}

/// Numbers of records.
enum { kStepWithoutRound, kStepWithRound, kFinalRound };

}  // namespace

RoundRules round_rules(const Experiment& experiment) {
  const Schedule& schedule = experiment.schedule();
  const auto rate = [eta = experiment.config().algorithm.averaging_rate,
                     rounds = schedule.rounds_in(schedule.sgd_steps())](int, std::int64_t t) {
    return t < rounds ? eta : 1.0;
  };
  return topology_rules(experiment.topologies(), experiment.config().run.replicas, rate);
}

template <class Backend>
Emulator<Backend>::Emulator(const Backend& backend, const Experiment& experiment, Transport<Backend>& transport)
    : Emulator(backend, experiment, transport, round_rules(experiment)) {}

template <class Backend>
Emulator<Backend>::Emulator(const Backend& backend, const Experiment& experiment, Transport<Backend>& transport,
                            RoundRules rules)
    : backend_(backend),
      experiment_(experiment),
      gradients_(make_gradients(backend, experiment, transport.shard())),
      plan_(backend, std::move(rules), transport.shard()),
      nodes_(backend, transport, gradients_->layout(), experiment.config(), state_plan(experiment.config().algorithm),
             plan_.halo_slots()),
      algorithm_(algorithm_named<Backend>(experiment.config().algorithm.name)),
      loss_{.sum = {backend, 1, nodes_.shard.rows()}},
      clock_(backend, 1, 1) {
  fill_rows(backend, nodes_.x.view(), [&](int node, float* row) { gradients_->initialize(node, row); });
}

template <class Backend>
void Emulator<Backend>::prepare_rounds(std::int64_t first, std::int64_t last) {
  const Schedule& schedule = experiment_.schedule();
  const bool merges_by_gossip = experiment_.config().algorithm.final != "all_reduce";
  last = std::min(last, schedule.rounds_in(schedule.sgd_steps()) + (merges_by_gossip ? schedule.final_rounds() : 0));
  if (first >= last || !plan_.prepare(first, last)) return;
  nodes_.allocate_halo(plan_.halo_slots());
  nodes_.work.forget();
}

template <class Backend>
void Emulator<Backend>::play(int record, std::optional<std::int64_t> round, const std::function<void()>& work) {
  if (round) {
    prepare_rounds(*round, *round + 1);
    plan_.play(*round);
  }
  recorded_ ? nodes_.work.run(backend_, record, step_, work) : nodes_.work.run_unrecorded(step_, work);
}

template <class Backend>
void Emulator<Backend>::run_step(const std::function<void()>& stages) {
  set_learning_rates();
  const auto round = experiment_.schedule().round_after(step_);
  play(round ? kStepWithRound : kStepWithoutRound, round, stages);
  ++step_;
  ++loss_.steps;
  const AlgorithmConfig& algorithm = experiment_.config().algorithm;
  if (round && algorithm.name != "none") nodes_.count_messages(plan_.messages(*round), sends_dense_messages(algorithm));
  if (round) prepare_rounds(*round + 1, *round + 1 + kRoundsAhead);  // while a GPU is busy with the step
  if (step_ % Backend::kStepsBetweenLooks == 0) check_finite();
}

template <class Backend>
void Emulator<Backend>::take_gradients() {
  gradients_->compute(backend_, {.x = nodes_.x.view(), .u = nodes_.u.span()}, &clock()->step, nodes_.gradient.view(),
                      loss_.sum.span());
}

template <class Backend>
void Emulator<Backend>::run_algorithm() {
  const auto round = experiment_.schedule().round_after(step_);
  if (round)
    algorithm_(nodes_, plan_.at(&clock()->round));
  else
    local_step(nodes_);
  end_step(backend_, nodes_.diverged.span(), round ? 1 : 0, clock());
}

template <class Backend>
void Emulator<Backend>::run_final_round() {
  const Schedule& schedule = experiment_.schedule();
  const std::int64_t k = step_ - schedule.sgd_steps(), round = schedule.final_round(k);
  if (k == 0) drop_error_memory(nodes_);
  const auto end = [&] { end_step(backend_, nodes_.diverged.span(), 1, clock()); };
  if (experiment_.config().algorithm.final == "all_reduce") {
    final_all_reduce(nodes_);
    end();
  } else {
    play(kFinalRound, round, [&] {
      final_gossip(nodes_, plan_.at(&clock()->round));
      end();
    });
    nodes_.count_messages(plan_.messages(round), true);
    prepare_rounds(round + 1, round + 1 + kRoundsAhead);
  }
  if (++step_ == schedule.end()) merge_statistics();
}

template <class Backend>
void Emulator<Backend>::merge_statistics() {
  if (experiment_.config().algorithm.final_statistics == "local") {
    gradients_->reestimate_statistics(backend_, {.x = nodes_.x.view(), .u = nodes_.u.span()});
  } else {
    average_statistics(gradients_->statistics(), nodes_);
  }
}

template <class Backend>
void Emulator<Backend>::resume_at(std::int64_t step) {
  const Schedule& schedule = experiment_.schedule();
  const std::int64_t sgd_steps = std::min(step, schedule.sgd_steps());
  step_ = step;
  clock_.assign(std::vector<StepClock>{{.step = step, .round = schedule.rounds_in(sgd_steps) + step - sgd_steps}});
}

template <class Backend>
std::vector<MetricsRow> Emulator<Backend>::measure(bool ends_window) {
  check_finite();
  auto rows = measure_nodes(backend_, experiment_, *gradients_, nodes_, loss_, step_);
  if (ends_window) {
    clear(backend_, loss_.sum.span().data(), loss_.sum.span().size_bytes());
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
  if (settings == settings_) return;
  settings_ = settings;
  nodes_.settings.assign(std::vector(nodes_.shard.replicas, settings));
}

template <class Backend>
void Emulator<Backend>::check_finite() {
  const StepClock clock = clock_.to_host().front();
  if (clock.diverged_step != 0) report_divergence(clock);
}

template <class Backend>
void Emulator<Backend>::report_divergence(const StepClock& clock) const {
  const int row = static_cast<int>(clock.diverged_row);
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
                             clock.diverged_step, id.node,
                             nodes_.shard.replicas > 1 ? fmt::format(" of replica {}", id.replica) : "", tensor));
}

template class Emulator<Cpu>;
template class Emulator<Cuda>;

}  // namespace sparsepush
