// When things happen in a run: which steps exchange, evaluate and checkpoint, and with which learning rate.
#pragma once
#include <cstdint>
#include <optional>

#include "host/recipe/settings.h"

namespace sparsepush {

/// Steps count SGD updates done; final rounds continue the count after the last of them.
class Schedule {
 public:
  /// Takes the steps of the configuration; `steps_per_epoch` = 0: the problem has no epochs. `final_rounds` follow the
  /// last step.
  Schedule(const Config& config, std::int64_t steps_per_epoch, std::int64_t final_rounds);

  std::int64_t sgd_steps() const { return sgd_steps_; }  ///< T
  std::int64_t end() const { return sgd_steps_ + final_rounds_; }
  std::int64_t final_rounds() const { return final_rounds_; }

  /// Counts the rounds of gossip among the first `steps` SGD steps.
  std::int64_t rounds_in(std::int64_t steps) const { return steps / local_steps_; }
  /// Returns the round that follows SGD step t (0-based), if one does.
  std::optional<std::int64_t> round_after(std::int64_t t) const;
  /// Returns the round of final round k (0-based).
  std::int64_t final_round(std::int64_t k) const { return rounds_in(sgd_steps_) + k; }

  /// Computes the learning rate of a step, in double, where `passed` are the milestones' epochs so far, and p goes from
  /// 0 to 1 between warm-up and last step:
  ///   steps: lr * decay^passed, linear: lr_end + (lr - lr_end) (1 - p),
  ///   cosine: lr_end + (lr - lr_end) (1 + cos(pi p)) / 2
  /// times warmup_factor in the warm-up, which rises to 1 there if `warmup` is a ramp.
  double learning_rate(std::int64_t step) const { return learning_rate(step, optimizer_); }
  /// Computes the learning rate by the settings of a replica that has its own.
  double learning_rate(std::int64_t step, const OptimizerConfig& optimizer) const;
  /// Computes eta of a round: averaging_rate, times the factor of the last milestone that has passed; 1 in final
  /// rounds.
  double averaging_rate(std::int64_t round, const AlgorithmConfig& algorithm, const OptimizerConfig& optimizer) const;
  /// Returns the epoch that a step is in, if the problem has epochs.
  std::optional<std::int64_t> epoch(std::int64_t step) const;

  /// Returns whether a row is due after `step` whatever the run's length.
  bool evaluates_by_cadence(std::int64_t step) const;
  /// Returns whether a row is due after `step`: by the cadence, at the last SGD step, or at the end.
  bool evaluates_at(std::int64_t step) const;
  /// Returns the last step up to `step` that has a row whatever the run's length.
  std::int64_t last_evaluation_by_cadence(std::int64_t step) const;
  /// Counts the rows that are due after `step`.
  std::int64_t evaluations_after(std::int64_t step) const;
  /// Returns whether a checkpoint is due after `step`.
  bool checkpoints_at(std::int64_t step) const;

 private:
  std::int64_t milestones_passed(std::int64_t step, const OptimizerConfig& optimizer) const;

  OptimizerConfig optimizer_;
  std::int64_t steps_per_epoch_, sgd_steps_, final_rounds_, local_steps_, every_steps_, checkpoint_steps_;
  bool each_epoch_;
};

}  // namespace sparsepush
