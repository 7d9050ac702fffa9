#include "host/recipe/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

namespace sparsepush {

Schedule::Schedule(const Config& config, std::int64_t steps_per_epoch, std::int64_t final_rounds)
    : optimizer_(config.optimizer),
      steps_per_epoch_(steps_per_epoch),
      sgd_steps_(sparsepush::sgd_steps(config.run, steps_per_epoch)),
      final_rounds_(final_rounds),
      local_steps_(config.algorithm.local_steps),
      every_steps_(config.evaluate.every_steps > 0 ? config.evaluate.every_steps : steps_per_epoch),
      checkpoint_steps_(config.run.checkpoint_steps),
      each_epoch_(config.evaluate.every_steps == 0) {}

std::optional<std::int64_t> Schedule::round_after(std::int64_t t) const {
  if ((t + 1) % local_steps_ != 0) return std::nullopt;
  return (t + 1) / local_steps_ - 1;
}

std::optional<std::int64_t> Schedule::epoch(std::int64_t step) const {
  if (steps_per_epoch_ == 0) return std::nullopt;
  return std::min(step, sgd_steps_) / steps_per_epoch_;
}

std::int64_t Schedule::milestones_passed(std::int64_t step, const OptimizerConfig& optimizer) const {
  const std::int64_t now = epoch(step).value_or(0);
  return std::ranges::count_if(optimizer.milestones, [&](std::int64_t m) { return m <= now; });
}

double Schedule::learning_rate(std::int64_t step, const OptimizerConfig& optimizer) const {
  const double lr = optimizer.lr, end = optimizer.lr_end, factor = optimizer.warmup_factor;
  const std::int64_t warmup = optimizer.warmup_epochs * steps_per_epoch_;
  double rate = lr * std::pow(optimizer.decay, static_cast<double>(milestones_passed(step, optimizer)));
  if (optimizer.schedule != "steps") {
    const auto falling = static_cast<double>(std::max<std::int64_t>(1, sgd_steps_ - warmup));  // steps
    const double passed = static_cast<double>(std::max<std::int64_t>(0, step - warmup)) / falling;
    rate = optimizer.schedule == "linear" ? end + (lr - end) * (1 - passed)
                                          : end + (lr - end) * (0.5 * (1 + std::cos(std::numbers::pi * passed)));
  }
  if (step >= warmup) return rate;
  if (optimizer.warmup == "constant") return rate * factor;
  return rate * (factor + (1 - factor) * (static_cast<double>(step) / static_cast<double>(warmup)));
}

double Schedule::averaging_rate(std::int64_t round, const AlgorithmConfig& algorithm,
                                const OptimizerConfig& optimizer) const {
  if (round >= rounds_in(sgd_steps_)) return 1;
  const std::int64_t passed = milestones_passed((round + 1) * local_steps_ - 1, optimizer);
  if (passed == 0 || algorithm.averaging_decay.empty()) return algorithm.averaging_rate;
  return algorithm.averaging_rate * algorithm.averaging_decay.at(passed - 1);
}

bool Schedule::evaluates_by_cadence(std::int64_t step) const {
  if (step > sgd_steps_ && each_epoch_) return false;  // final rounds belong to no epoch
  return step == 0 || (every_steps_ > 0 && step % every_steps_ == 0);
}

std::int64_t Schedule::last_evaluation_by_cadence(std::int64_t step) const {
  if (each_epoch_) step = std::min(step, sgd_steps_);
  return every_steps_ > 0 ? step - step % every_steps_ : 0;
}

bool Schedule::evaluates_at(std::int64_t step) const {
  return evaluates_by_cadence(step) || step == sgd_steps_ || step == end();
}

std::int64_t Schedule::evaluations_after(std::int64_t step) const {
  std::int64_t evaluations = 0;
  if (every_steps_ > 0) {
    const std::int64_t last = each_epoch_ ? sgd_steps_ : end();
    evaluations = std::max<std::int64_t>(0, last / every_steps_ - step / every_steps_);
  }
  for (const std::int64_t extra : std::set{sgd_steps_, end()})
    if (extra > step && !evaluates_by_cadence(extra)) ++evaluations;
  return evaluations;
}

bool Schedule::checkpoints_at(std::int64_t step) const {
  if (checkpoint_steps_ == 0) return evaluates_at(step);
  return step % checkpoint_steps_ == 0 || step == end();
}

}  // namespace sparsepush
