// Many nodes that learn: the rounds of one shard.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "host/experiment.h"
#include "host/metrics.h"
#include "host/nodes.h"
#include "host/transport.h"
#include "kernels/step_clock.h"
#include "models/gradients.h"

namespace sparsepush {

/// A run went out of bounds; `what()` names step, node and tensor.
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Trains the local nodes of one shard. All shards make the same calls.
template <class Backend>
class Emulator {
 public:
  /// `backend`, `experiment` and `transport` must outlive it.
  Emulator(const Backend& backend, const Experiment& experiment, Transport<Backend>& transport);

  /// SGD steps and final rounds done.
  std::int64_t step() const { return step_; }
  bool in_final_rounds() const { return step_ >= experiment_.schedule().sgd_steps(); }

  /// One SGD step of all nodes. `stages` calls the two functions below; a GPU records what they launch in the first
  /// step and repeats it in the following ones, as one CUDA graph. Throws Diverged.
  void run_step(const std::function<void()>& stages);
  /// Batch and gradient: every node's gradient at z = x / u on its samples of this step.
  void take_gradients();
  /// Update, select, deliver, mix and de-bias, as the algorithm says.
  void run_algorithm();

  /// One round of merging after the last SGD step; after the last one also running statistics are merged.
  void run_final_round();
  /// Throws Diverged if a node has, since the last look. Backends look every few steps, and before anything is saved.
  void check_finite();

  /// Losses, accuracies, consensus, mass and bytes of each replica. `ends_window` starts a new window for train_loss.
  std::vector<MetricsRow> measure(bool ends_window);

  const Experiment& experiment() const { return experiment_; }
  Nodes<Backend>& nodes() { return nodes_; }
  const Gradients<Backend>& gradients() const { return *gradients_; }

  /// Sums for train_loss since its window began, saved with checkpoints.
  struct LossWindow {
    Buffer<Backend, double> sum;  ///< [local rows]
    std::int64_t steps = 0;
  };
  LossWindow& loss_window() { return loss_; }
  /// Goes on from a checkpoint whose arrays have been read into nodes().
  void resume_at(std::int64_t step);

 private:
  void set_learning_rates();
  /// After the last final round: running statistics for the merged model.
  void merge_statistics();
  [[noreturn]] void report_divergence(const StepClock& clock) const;
  StepClock* clock() const { return clock_.span().data(); }

  const Backend& backend_;
  const Experiment& experiment_;
  std::unique_ptr<Gradients<Backend>> gradients_;
  int halo_slots_;
  Nodes<Backend> nodes_;
  RoundPlan<Backend> plan_;
  std::optional<RoundPlan<Backend>> final_plan_;  ///< with eta = 1
  void (*algorithm_)(Nodes<Backend>&, const PlannedRound&);
  SgdSettings settings_;  ///< that the nodes have
  LossWindow loss_;
  Buffer<Backend, StepClock> clock_;  ///< [1]
  std::int64_t step_ = 0;
};

}  // namespace sparsepush
