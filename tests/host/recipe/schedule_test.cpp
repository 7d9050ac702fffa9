#include "host/recipe/schedule.h"

#include <gtest/gtest.h>

namespace sparsepush {
namespace {

Config ten_epochs() {
  Config config;
  config.run.epochs = 10;
  config.optimizer.milestones = {4, 6};
  config.optimizer.decay = 0.5;
  config.optimizer.warmup_epochs = 2;
  return config;
}

TEST(Schedule, StepsWinOverEpochs) {
  Config config = ten_epochs();
  EXPECT_EQ(Schedule(config, 7, 0).sgd_steps(), 70);
  config.run.steps = 33;
  EXPECT_EQ(Schedule(config, 7, 5).sgd_steps(), 33);
  EXPECT_EQ(Schedule(config, 7, 5).end(), 38);
  config.run.steps = 1;
  EXPECT_EQ(Schedule(config, 7, 0).sgd_steps(), 1);
}

TEST(Schedule, LearningRateFollowsMilestonesAndConstantWarmUp) {
  Config config = ten_epochs();
  config.optimizer.warmup = "constant";
  const Schedule schedule(config, 7, 0);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0), 0.01);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(13), 0.01);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(14), 0.1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(27), 0.1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(28), 0.05);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(42), 0.025);
}

TEST(Schedule, WarmUpRisesFromItsFactorStepByStep) {
  Config config = ten_epochs();
  config.optimizer.warmup_factor = 0.3;
  const Schedule schedule(config, 7, 0);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0), 0.03);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(7), 0.1 * 0.65);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(14), 0.1);
}

TEST(Schedule, LearningRateFallsFromWarmUpToTheLastStep) {
  Config config;
  config.run.steps = 44;
  config.optimizer.lr = 0.5;
  config.optimizer.lr_end = 0.1;
  config.optimizer.schedule = "linear";
  config.optimizer.warmup_epochs = 2;
  config.optimizer.warmup_factor = 0.5;
  const Schedule linear(config, 7, 3);
  EXPECT_DOUBLE_EQ(linear.learning_rate(7), 0.5 * 0.75);
  EXPECT_DOUBLE_EQ(linear.learning_rate(14), 0.5);
  EXPECT_DOUBLE_EQ(linear.learning_rate(29), 0.3);
  EXPECT_DOUBLE_EQ(linear.learning_rate(44), 0.1);
  config.optimizer.schedule = "cosine";
  const Schedule cosine(config, 7, 3);
  EXPECT_DOUBLE_EQ(cosine.learning_rate(14), 0.5);
  EXPECT_DOUBLE_EQ(cosine.learning_rate(24), 0.1 + 0.4 * 0.75) << "a third of the way";
  EXPECT_DOUBLE_EQ(cosine.learning_rate(29), 0.3);
  EXPECT_DOUBLE_EQ(cosine.learning_rate(44), 0.1);
}

TEST(Schedule, CountsTheEvaluationsThatAreToCome) {
  for (const int every : {0, 1, 3, 7, 100}) {
    for (const int steps_per_epoch : {0, 5}) {
      for (const int final_rounds : {0, 1, 6}) {
        Config config;
        config.run.steps = 14;
        config.evaluate.every_steps = every;
        const Schedule schedule(config, steps_per_epoch, final_rounds);
        int to_come = 0;
        for (std::int64_t step = schedule.end(); step >= 0; --step) {
          EXPECT_EQ(schedule.evaluations_after(step), to_come)
              << "step " << step << ", every " << every << ", epoch " << steps_per_epoch << ", final " << final_rounds;
          if (schedule.evaluates_at(step)) ++to_come;
        }
      }
    }
  }
}

TEST(Schedule, AveragingRateHasTheFactorOfTheLastMilestone) {
  Config config = ten_epochs();
  config.algorithm.averaging_rate = 0.4;
  config.algorithm.local_steps = 3;
  const auto rate = [&](std::int64_t round) {
    return Schedule(config, 7, 2).averaging_rate(round, config.algorithm, config.optimizer);
  };
  EXPECT_EQ(rate(22), 0.4) << "without factors";
  config.algorithm.averaging_decay = {0.5, 0.25};
  EXPECT_EQ(rate(0), 0.4);
  EXPECT_EQ(rate(8), 0.4) << "after step 26, the last but one of epoch 3";
  EXPECT_EQ(rate(9), 0.2) << "after step 29, of epoch 4";
  EXPECT_EQ(rate(13), 0.2);
  EXPECT_EQ(rate(14), 0.1) << "after step 44, of epoch 6";
  EXPECT_EQ(rate(23), 1) << "a final round";
}

TEST(Schedule, EpochsEndWithTheLastStep) {
  Config config;
  config.run.steps = 16;
  const Schedule schedule(config, 7, 30);
  EXPECT_EQ(schedule.epoch(0), 0);
  EXPECT_EQ(schedule.epoch(6), 0);
  EXPECT_EQ(schedule.epoch(7), 1);
  EXPECT_EQ(schedule.epoch(46), 2) << "final rounds belong to the last";
}

TEST(Schedule, LocalStepsExchangeAfterEveryHthStep) {
  Config config = ten_epochs();
  config.algorithm.local_steps = 3;
  const Schedule schedule(config, 7, 4);
  EXPECT_FALSE(schedule.round_after(0));
  EXPECT_FALSE(schedule.round_after(1));
  EXPECT_EQ(schedule.round_after(2), 0);
  EXPECT_EQ(schedule.round_after(5), 1);
  EXPECT_EQ(schedule.final_round(0), 23) << "70 steps hold 23 rounds, numbered 0 to 22";
  EXPECT_EQ(schedule.final_round(3), 26);
}

TEST(Schedule, EvaluatesEachEpochAtTheLastStepAndAtTheEnd) {
  Config config;
  config.run.steps = 16;
  const Schedule schedule(config, 7, 6);
  std::vector<std::int64_t> rows;
  for (std::int64_t step = 0; step <= schedule.end(); ++step)
    if (schedule.evaluates_at(step)) rows.push_back(step);
  EXPECT_EQ(rows, (std::vector<std::int64_t>{0, 7, 14, 16, 22})) << "no epoch ends at 21, among the final rounds";
  EXPECT_FALSE(schedule.evaluates_by_cadence(16));
  config.run.steps = 14;
  EXPECT_TRUE(Schedule(config, 7, 6).evaluates_by_cadence(14));
}

TEST(Schedule, EveryStepsCountsFinalRoundsToo) {
  Config config;
  config.run.steps = 16;
  config.evaluate.every_steps = 10;
  const Schedule schedule(config, 7, 6);
  std::vector<std::int64_t> rows;
  for (std::int64_t step = 0; step <= schedule.end(); ++step)
    if (schedule.evaluates_at(step)) rows.push_back(step);
  EXPECT_EQ(rows, (std::vector<std::int64_t>{0, 10, 16, 20, 22}));
  config.evaluate.every_steps = 1;
  EXPECT_TRUE(Schedule(config, 7, 6).evaluates_at(3));
}

TEST(Schedule, KnowsTheLastEvaluationByCadence) {
  for (const std::int64_t every_steps : {0, 1, 3, 7, 100}) {
    Config config;
    config.run.steps = 20;
    config.evaluate.every_steps = every_steps;
    for (const std::int64_t steps_per_epoch : {0, 6}) {
      const Schedule schedule(config, steps_per_epoch, 9);
      std::int64_t last = 0;
      for (std::int64_t step = 0; step <= schedule.end(); ++step) {
        if (schedule.evaluates_by_cadence(step)) last = step;
        EXPECT_EQ(schedule.last_evaluation_by_cadence(step), last) << step << " by " << every_steps;
      }
    }
  }
}

TEST(Schedule, CheckpointsAtEvaluationsUnlessToldOtherwise) {
  Config config;
  config.run.steps = 16;
  EXPECT_TRUE(Schedule(config, 7, 0).checkpoints_at(7));
  EXPECT_FALSE(Schedule(config, 7, 0).checkpoints_at(8));
  config.run.checkpoint_steps = 4;
  EXPECT_FALSE(Schedule(config, 7, 1).checkpoints_at(7));
  EXPECT_TRUE(Schedule(config, 7, 1).checkpoints_at(8));
  EXPECT_TRUE(Schedule(config, 7, 1).checkpoints_at(17));
}

TEST(Schedule, ProblemsWithoutDataHaveNoEpochs) {
  Config config;
  config.run.steps = 5;
  config.optimizer.milestones = {1};
  const Schedule schedule(config, 0, 0);
  EXPECT_FALSE(schedule.epoch(3));
  EXPECT_EQ(schedule.learning_rate(3), config.optimizer.lr);
  EXPECT_TRUE(schedule.evaluates_at(0));
  EXPECT_FALSE(schedule.evaluates_at(3));
  EXPECT_TRUE(schedule.evaluates_at(5));
}

}  // namespace
}  // namespace sparsepush
