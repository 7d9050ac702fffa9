// Many nodes that learn: the rounds of one shard.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/state/diverged.h"
#include "host/state/experiment.h"
#include "host/state/measure.h"
#include "host/state/metrics_row.h"
#include "host/state/nodes.h"
#include "host/transports/transport.h"
#include "kernels/nodes/step_clock.h"
#include "models/gradients.h"

namespace sparsepush {

/// Trains the local nodes of one shard. All shards make the same calls.
template <class Backend>
class Emulator {
 public:
  /// Makes the nodes in their initial state. `backend`, `experiment` and `transport` must outlive it.
  Emulator(const Backend& backend, const Experiment& experiment, Transport<Backend>& transport);
  /// Makes the nodes in their initial state, with `rules` instead of the experiment's rounds.
  Emulator(const Backend& backend, const Experiment& experiment, Transport<Backend>& transport, RoundRules rules);

  /// Counts the SGD steps and final rounds that are done.
  std::int64_t step() const { return step_; }
  bool in_final_rounds() const { return step_ >= experiment_.schedule().sgd_steps(); }

  /// Takes one SGD step of all nodes. `stages` calls the two functions below; a GPU records what they launch in the
  /// first step and repeats it in the following ones, as CUDA graphs. Throws Diverged.
  void run_step(const std::function<void()>& stages);
  /// Picks the batches and computes every node's gradient at z = x / u on its samples of this step.
  void take_gradients();
  /// Updates, selects, delivers, mixes and de-biases, as the method says.
  void run_method();

  /// Plays one round of merging after the last SGD step; after the last round running statistics are merged as well.
  void run_final_round();
  /// Chooses whether steps repeat what was recorded; if not, every step launches its work anew, with the same bits.
  void set_recorded(bool recorded) { recorded_ = recorded; }
  /// Looks for runs with nodes that have diverged since the last look: lost() has them. Throws Diverged if none is
  /// left. Backends look every few steps, and before anything is saved.
  void check_finite();
  /// Returns why each run has diverged, [runs]; empty where that was not seen. A lost run still takes steps, to no end.
  const std::vector<std::string>& lost() const { return lost_; }

  /// Measures losses, accuracies, consensus, mass and bytes of each replica, without the replicas of lost runs.
  /// `ends_window` starts a new window for train_loss. Returns no rows, and leaves everything else as it was, if
  /// `watch` said in any shard not to go on with the tests.
  std::vector<MetricsRow> measure(bool ends_window, const TestWatch& watch = nullptr);

  const Experiment& experiment() const { return experiment_; }
  Nodes<Backend>& nodes() { return nodes_; }
  const Gradients<Backend>& gradients() const { return *gradients_; }

  /// Fills the arrays that start as others do (StateArray::starts_as) from what the nodes have now; to be called after
  /// nodes have been given other parameters to start with.
  void start_arrays();

  /// Returns the sums of losses since the last measure, which are saved with checkpoints.
  LossWindow<Backend>& loss_window() { return loss_; }
  /// Goes on at `step` from a checkpoint whose arrays have been read into nodes().
  void resume_at(std::int64_t step);

 private:
  void set_learning_rates();
  /// Spreads the replicas' settings over rows as Nodes::settings has them: nodes that do not learn have no weight
  /// decay, nor the momentum of their moves.
  std::vector<SgdSettings> settings_of_rows(const std::vector<SgdSettings>& of_replicas) const;
  /// Does `work`, under the number `recording`, as step step(), with gossip round `round` if it has one.
  void play(int recording, std::optional<std::int64_t> round, const std::function<void()>& work);
  /// Makes rounds first to last - 1 ready. Where they need more places than recorded work knows, forgets that work: it
  /// is recorded anew.
  void prepare_rounds(std::int64_t first, std::int64_t last);
  /// Makes running statistics for the merged model, after the last final round.
  void merge_statistics();
  /// Names the first tensor of any saved array that is not finite in a local row.
  std::string first_not_finite(int row) const;
  void check_whole() const;
  std::string describe_divergence(const Run& run, const StepClock& clock) const;
  /// Where backends look seldom, several shards may find that the run has diverged. Returns in the one where that was
  /// first, which is to tell it; throws TransportAborted in the others once it has.
  void yield_to_first(const StepClock* own);
  /// Loses runs whose parameters are finite, but not their squares.
  void check_norms();
  void check_any_left() const;
  /// Lists the replicas of runs that are not lost.
  std::vector<int> live_replicas() const;
  StepClock* clock() const { return clock_.span().data(); }

  const Backend& backend_;
  const Experiment& experiment_;
  std::unique_ptr<Gradients<Backend>> gradients_;
  RoundPlan<Backend> plan_;
  Nodes<Backend> nodes_;
  const bool nodes_differ_;            ///< whether nodes of a replica differ in their settings
  std::vector<SgdSettings> settings_;  ///< the settings that the nodes have
  LossWindow<Backend> loss_;
  Buffer<Backend, StepClock> clock_;  ///< [replicas]
  std::vector<std::string> lost_;     ///< [runs]
  std::int64_t step_ = 0;
  bool recorded_ = true;
  bool gradients_failed_ = false;         ///< in the step that is being taken: nothing else of it has happened
  bool broken_ = false;                   ///< a step has failed later
  std::atomic<bool> tests_go_on_ = true;  ///< nobody has asked to break them off
};

/// Returns the rounds of the experiment's topologies: with its averaging rate, and in the final rounds with rate 1.
RoundRules round_rules(const Experiment& experiment);

}  // namespace sparsepush
