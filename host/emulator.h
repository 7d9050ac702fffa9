// Many nodes that learn: the rounds of one shard.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "host/experiment.h"
#include "host/metrics.h"
#include "host/nodes.h"
#include "host/transport.h"
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

  /// Batch and gradient: every node's gradient at z = x / u on its samples of this step.
  void take_gradients();
  /// Update, select, deliver, mix and de-bias, as the algorithm says. Throws Diverged.
  void run_algorithm();
  /// One round of merging after the last SGD step.
  void run_final_round();

  /// Losses, accuracies, consensus, mass and bytes of each replica. `ends_window` starts a new window for train_loss.
  std::vector<MetricsRow> measure(bool ends_window);

  const Experiment& experiment() const { return experiment_; }
  Nodes<Backend>& nodes() { return nodes_; }
  const Gradients<Backend>& gradients() const { return *gradients_; }

  /// Sums for train_loss since its window began, saved with checkpoints.
  struct LossWindow {
    std::vector<double> sum;  ///< [local rows]
    std::int64_t steps = 0;
  };
  LossWindow& loss_window() { return loss_; }
  /// Goes on from a checkpoint whose arrays have been read into nodes().
  void resume_at(std::int64_t step) { step_ = step; }

 private:
  void set_learning_rates();
  void check_finite();
  [[noreturn]] void report_divergence(int row) const;

  const Backend& backend_;
  const Experiment& experiment_;
  std::unique_ptr<Gradients<Backend>> gradients_;
  int halo_slots_;
  Nodes<Backend> nodes_;
  RoundPlan<Backend> plan_;
  std::optional<RoundPlan<Backend>> final_plan_;  ///< with eta = 1
  void (*algorithm_)(Nodes<Backend>&, const PlannedRound<Backend>&);
  LossWindow loss_;
  std::int64_t step_ = 0;
};

}  // namespace sparsepush
