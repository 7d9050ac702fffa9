#include "host/state/emulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "host/state/final_rounds.h"
#include "host/state/row_batches.h"
#include "host/state/running_statistics.h"
#include "host/state/trigger.h"
#include "host/state/verbs.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

/// Returns whether nodes without data have no weight decay, where others do.
bool nodes_differ(const Experiment& experiment) {
  if (experiment.recipe().method.steps_alike) return false;
  const RunConfig& run = experiment.config().run;
  for (int replica = 0; replica < run.replicas; ++replica)
    for (int node = 0; node < run.nodes; ++node)
      if (!experiment.task().learns(replica, node)) return true;
  return false;
}

/// Plans the nodes, with settings for each row where these differ.
NodesPlan plan_of_nodes(const Experiment& experiment, int halo_slots) {
  NodesPlan plan = nodes_plan(experiment, halo_slots);
  plan.settings_of_rows = nodes_differ(experiment);
  return plan;
}

/// Checks what rules do to topologies, which themselves were checked when the experiment was made.
RoundRules checked(RoundRules rules, const Method& method) {
  CHECK(!rules.delivers || !(method.needs.is_static || method.needs.doubly_stochastic), method.name,
        " needs every message delivered");
  CHECK(!method.needs.is_static || rules.period == 1, method.name, " needs the same edges in every round");
  return rules;
}

/// Numbers of recordings.
enum { kStepWithoutRound, kStepWithRound, kFinalRound };

}  // namespace

RoundRules round_rules(const Experiment& experiment) {
  const auto rate = [schedule = experiment.schedule(), replicas = experiment.replicas(),
                     fixed = fixed_averaging_rate(experiment.recipe().method)](int r, std::int64_t t) {
    return fixed ? *fixed : schedule.averaging_rate(t, replicas[r].algorithm, replicas[r].optimizer);
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
      gradients_(experiment.task().make_gradients(backend, transport.shard())),
      plan_(backend, checked(std::move(rules), experiment.recipe().method), transport.shard()),
      nodes_(backend, transport, experiment.layout(), plan_of_nodes(experiment, plan_.halo_slots())),
      nodes_differ_(nodes_differ(experiment)),
      loss_{.sum = {backend, 1, nodes_.shard.rows()}},
      clock_(backend, 1, nodes_.shard.replicas),
      lost_(experiment.runs().size()) {
  gradients_->use(nodes_.state);
  nodes_.round = &clock()->round;
  const auto& compressor = experiment.recipe().compressor;
  if (compressor && compressor->start) compressor->start(nodes_);
  fill_rows(backend, nodes_[state::x], [&](int row, float* values) {
    const auto [replica, node] = nodes_.shard.id_of(row);
    experiment.task().initialize(experiment.replicas()[replica].seed, node, values);
  });
  start_arrays();
}

template <class Backend>
void Emulator<Backend>::start_arrays() {
  for (const StateArray* array : nodes_.arrays)
    if (array->starts_as != nullptr) copy_first_rows(nodes_, Array<float>(*array->starts_as), Array<float>(*array));
}

template <class Backend>
void Emulator<Backend>::prepare_rounds(std::int64_t first, std::int64_t last) {
  const Schedule& schedule = experiment_.schedule();
  const bool merges_by_gossip = !merges_by_all_reduce(experiment_.config().algorithm);
  last = std::min(last, schedule.rounds_in(schedule.sgd_steps()) + (merges_by_gossip ? schedule.final_rounds() : 0));
  if (first >= last || !plan_.prepare(first, last)) return;
  nodes_.allocate_halo(plan_.halo_slots());
  nodes_.work.forget();
}

template <class Backend>
void Emulator<Backend>::play(int recording, std::optional<std::int64_t> round, const std::function<void()>& work) {
  if (round) {
    prepare_rounds(*round, *round + 1);
    plan_.play(*round);
  }
  gradients_failed_ = false;
  try {
    recorded_ ? nodes_.work.run(backend_, recording, step_, work) : nodes_.work.run_unrecorded(step_, work);
  } catch (...) {
    broken_ = !gradients_failed_;
    throw;
  }
}

template <class Backend>
void Emulator<Backend>::run_step(const std::function<void()>& stages) {
  check_whole();
  set_learning_rates();
  const auto round = experiment_.schedule().round_after(step_);
  play(round ? kStepWithRound : kStepWithoutRound, round, stages);
  ++step_;
  ++loss_.steps;
  if (round) prepare_rounds(*round + 1, *round + 1 + kRoundsAhead);  // while a GPU is busy with the step
  if (step_ % Backend::kStepsBetweenLooks == 0) check_finite();
}

template <class Backend>
void Emulator<Backend>::take_gradients() {
  const auto compute = [this](std::int64_t step) {
    gradients_failed_ = true;
    gradients_->compute(backend_, {.at = parameters_of(nodes_, experiment_.task()), .step = &clock()->step},
                        {.gradient = nodes_[state::gradient], .loss = loss_.sum.span()}, step);
    gradients_failed_ = false;
  };
  if (gradients_->can_be_recorded())
    compute(step_);
  else
    nodes_.work.host_call(compute);
}

template <class Backend>
void Emulator<Backend>::run_method() {
  const auto round = experiment_.schedule().round_after(step_);
  if (round)
    experiment_.recipe().method.play(nodes_, plan_.at(&clock()->round));
  else
    local_step(nodes_);
  end_step(backend_, nodes_.diverged.span(), round ? 1 : 0, clock_.span());
}

template <class Backend>
void Emulator<Backend>::run_final_round() {
  check_whole();
  const Schedule& schedule = experiment_.schedule();
  const std::int64_t k = step_ - schedule.sgd_steps(), round = schedule.final_round(k);
  if (k == 0) drop_error_memory(nodes_);
  const auto end = [&] { end_step(backend_, nodes_.diverged.span(), 1, clock_.span()); };
  if (merges_by_all_reduce(experiment_.config().algorithm)) {
    final_all_reduce(nodes_);
    end();
  } else {
    play(kFinalRound, round, [&] {
      final_gossip(nodes_, plan_.at(&clock()->round));
      end();
    });
    prepare_rounds(round + 1, round + 1 + kRoundsAhead);
  }
  if (++step_ == schedule.end()) merge_statistics();
}

template <class Backend>
void Emulator<Backend>::merge_statistics() {
  if (experiment_.config().algorithm.final_statistics == "local") {
    gradients_->reestimate_statistics(backend_, parameters_of(nodes_, experiment_.task()));
  } else {
    average_statistics(gradients_->statistics(), nodes_);
  }
}

template <class Backend>
void Emulator<Backend>::resume_at(std::int64_t step) {
  const Schedule& schedule = experiment_.schedule();
  const std::int64_t sgd_steps = std::min(step, schedule.sgd_steps());
  step_ = step;
  const StepClock now{.step = step, .round = schedule.rounds_in(sgd_steps) + step - sgd_steps};
  clock_.assign(std::vector<StepClock>(nodes_.shard.replicas, now));

  Message kept;  // kept in every slot, by methods whose rounds are all alike: checkpoints hold no halo
  std::ranges::copy_if(nodes_.arrays, std::back_inserter(kept.arrays),
                       [](const StateArray* array) { return array->saved && array->per == Per::kSlot; });
  if (kept.arrays.empty()) return;
  prepare_rounds(0, 1);
  plan_.play(0);
  fill_halo(nodes_, plan_.at(&clock()->round), kept);
}

template <class Backend>
std::vector<MetricsRow> Emulator<Backend>::measure(bool ends_window, const TestWatch& watch) {
  check_finite();
  check_norms();
  tests_go_on_ = true;
  gradients_->watch_tests([this, watch](double models) {
    if (watch && !watch(models)) tests_go_on_ = false;
    return tests_go_on_.load();
  });
  auto rows = measure_nodes(backend_, experiment_, *gradients_, nodes_, loss_, {step_, live_replicas()});
  gradients_->watch_tests([](double) { return true; });
  double cut_off = 0;  // shards
  nodes_.transport.sum_in_order({&cut_off, 1},
                                [&](std::int64_t, std::span<double> shards) { shards[0] += tests_go_on_ ? 0 : 1; });
  if (cut_off > 0) return {};
  if (ends_window) {
    clear(backend_, loss_.sum.span().data(), loss_.sum.span().size_bytes());
    loss_.steps = 0;
  }
  return rows;
}

template <class Backend>
void Emulator<Backend>::set_learning_rates() {
  std::vector<SgdSettings> settings;
  const auto& adjust = experiment_.recipe().optimizer.adjust;
  for (const ReplicaSettings& replica : experiment_.replicas()) {
    settings.push_back({.lr = static_cast<float>(experiment_.schedule().learning_rate(step_, replica.optimizer)),
                        .momentum = static_cast<float>(replica.optimizer.momentum),
                        .weight_decay = static_cast<float>(replica.optimizer.weight_decay)});
    if (adjust) adjust(replica.optimizer, experiment_.schedule(), step_, settings.back());
  }
  if (settings == settings_) return;
  nodes_.settings.assign(settings_of_rows(settings));
  settings_ = std::move(settings);
}

template <class Backend>
std::vector<SgdSettings> Emulator<Backend>::settings_of_rows(const std::vector<SgdSettings>& of_replicas) const {
  if (!nodes_differ_) return of_replicas;
  std::vector<SgdSettings> settings;
  for (int row = 0; row < nodes_.shard.rows(); ++row) {
    const auto [replica, node] = nodes_.shard.id_of(row);
    settings.push_back(of_replicas[replica]);
    if (!experiment_.task().learns(replica, node)) settings.back().weight_decay = settings.back().inverse_lr = 0;
  }
  return settings;
}

template <class Backend>
void Emulator<Backend>::check_whole() const {
  if (broken_) throw std::logic_error("a step has failed halfway: this run cannot go on, nor be saved");
}

template <class Backend>
void Emulator<Backend>::check_finite() {
  check_whole();
  const std::vector<StepClock> clocks = clock_.to_host();
  const std::vector<Run>& runs = experiment_.runs();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!lost_[i].empty()) continue;
    const StepClock* first = nullptr;  // the earliest; within a step the first, in the order of rows
    for (const StepClock& clock : std::span(clocks).subspan(runs[i].first, runs[i].replicas().count))
      if (clock.diverged_step != 0 && (first == nullptr || clock.diverged_step < first->diverged_step)) first = &clock;
    if (Backend::kStepsBetweenLooks > 1 && runs.size() == 1) yield_to_first(first);
    if (first != nullptr) lost_[i] = describe_divergence(runs[i], *first);
  }
  check_any_left();
}

template <class Backend>
void Emulator<Backend>::yield_to_first(const StepClock* own) {
  const Shard& shard = nodes_.shard;
  if (shard.shards == 1) return;
  double own_place = 0, first_place = 0;  // by step, then by row of all shards; 0: nothing has diverged
  if (own != nullptr) {
    const NodeId id = shard.id_of(static_cast<int>(own->diverged_row));
    own_place = static_cast<double>(own->diverged_step) * static_cast<double>(shard.all_rows()) +
                static_cast<double>(id.replica) * shard.all_nodes + id.node;
  }
  nodes_.transport.sum_in_order({&first_place, 1}, [&](std::int64_t, std::span<double> first) {
    if (own_place > 0 && (first[0] == 0 || own_place < first[0])) first[0] = own_place;
  });
  if (first_place != own_place) nodes_.transport.barrier();
}

template <class Backend>
void Emulator<Backend>::check_norms() {
  const std::vector<double> norms = squared_parameter_norms(backend_, nodes_);
  const int nodes = nodes_.shard.all_nodes;
  for (std::size_t i = 0; i < lost_.size(); ++i) {
    if (!lost_[i].empty()) continue;
    const ReplicaRange replicas = experiment_.runs()[i].replicas();
    for (int row = replicas.first * nodes; row < (replicas.first + replicas.count) * nodes && lost_[i].empty(); ++row)
      if (!std::isfinite(norms[row]))
        lost_[i] = fmt::format(
            "diverged at step {}: the parameters of node {} are not finite; {}", step_, row % nodes,
            likely_remedy(experiment_.recipe(), experiment_.replicas()[row / nodes].algorithm, nodes_.layout));
  }
  check_any_left();
}

template <class Backend>
void Emulator<Backend>::check_any_left() const {
  if (std::ranges::none_of(lost_, &std::string::empty)) throw Diverged(lost_);
}

template <class Backend>
std::vector<int> Emulator<Backend>::live_replicas() const {
  std::vector<int> live;
  for (std::size_t i = 0; i < lost_.size(); ++i) {
    const auto [first, count] = experiment_.runs()[i].replicas();
    for (int r = first; r < first + count && lost_[i].empty(); ++r) live.push_back(r);
  }
  return live;
}

template <class Backend>
std::string Emulator<Backend>::first_not_finite(int row) const {
  for (const StateArray* array : nodes_.arrays) {
    if (!array->saved || !array->is_padded() || array->dtype != Dtype::kF32 || array->per != Per::kNode) continue;
    const MatrixView<float> there = nodes_[Array<float>(*array)];
    std::vector<float> values(there.cols);
    copy(backend_, values.data(), there.row(row), values.size() * sizeof(float));
    for (std::size_t s = 0; s < nodes_.layout.segments.size(); ++s) {
      const Segment& segment = nodes_.layout.segments[s];
      const auto tensor = std::span(values).subspan(segment.begin, segment.size);
      if (std::ranges::all_of(tensor, [](float v) { return std::isfinite(v); })) continue;
      const std::string name = experiment_.task().parameters()[s].name;
      return array->name == state::x.name ? name : fmt::format("{} of {}", name, array->name);
    }
  }
  return "with the message";  // an overflow on its way: nothing is left of it
}

template <class Backend>
std::string Emulator<Backend>::describe_divergence(const Run& run, const StepClock& clock) const {
  const int row = static_cast<int>(clock.diverged_row);
  const NodeId id = nodes_.shard.id_of(row);
  return fmt::format("diverged at step {}: node {}{}, tensor {} is not finite; {}", clock.diverged_step, id.node,
                     run.replicas().count > 1 ? fmt::format(" of replica {}", id.replica - run.first) : "",
                     first_not_finite(row),
                     likely_remedy(experiment_.recipe(), experiment_.replicas()[id.replica].algorithm, nodes_.layout));
}

template class Emulator<Cpu>;
template class Emulator<Cuda>;

}  // namespace sparsepush
