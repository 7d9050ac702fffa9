#include "host/rounds/schedule.h"

#include <algorithm>
#include <cmath>

namespace sparsepush {

Schedule::Schedule(const Config& config, std::int64_t steps_per_epoch, std::int64_t final_rounds)
    : optimizer_(config.optimizer),
      steps_per_epoch_(steps_per_epoch),
      sgd_steps_(config.run.steps > 0 ? config.run.steps : config.run.epochs * steps_per_epoch),
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

double Schedule::learning_rate(std::int64_t step, const OptimizerConfig& optimizer) const {
  const std::int64_t now = epoch(step).value_or(0);
  const auto passed = std::ranges::count_if(optimizer.milestones, [&](std::int64_t m) { return m <= now; });
  const double rate = optimizer.lr * std::pow(optimizer.decay, static_cast<double>(passed));
  return now < optimizer.warmup_epochs ? rate * optimizer.warmup_factor : rate;
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

bool Schedule::checkpoints_at(std::int64_t step) const {
  if (checkpoint_steps_ == 0) return evaluates_at(step);
  return step % checkpoint_steps_ == 0 || step == end();
}

}  // namespace sparsepush
