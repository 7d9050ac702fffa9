#include "kernels/nodes/step_clock.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class StepClockOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(StepClockOn, Backends);

TYPED_TEST(StepClockOn, CountsStepsAndRounds) {
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, StepClock> clock(backend, std::vector<StepClock>{{.step = 7, .round = 3}});
    const Buffer<TypeParam, std::uint8_t> diverged(backend, 1, 5);
    for (const int rounds : {0, 1, 1}) end_step(backend, diverged.span(), rounds, clock.span());
    const StepClock now = clock.to_host().front();
    EXPECT_EQ(now.step, 10);
    EXPECT_EQ(now.round, 5);
    EXPECT_EQ(now.diverged_step, 0);
  });
}

TYPED_TEST(StepClockOn, NotesTheFirstRowOfTheFirstStepThatDiverged) {
  for (const int nodes : {1, 2, 31, 33, 1023, 1024, 1025, 5000})
    for (const int first : {0, nodes / 2, nodes - 1})
      for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
        std::vector<std::uint8_t> flags(nodes);
        Buffer<TypeParam, std::uint8_t> diverged(backend, flags);
        const Buffer<TypeParam, StepClock> clock(backend, 1, 1);
        end_step(backend, diverged.span(), 1, clock.span());
        for (int row = first; row < nodes; row += 3) flags[row] = 1;
        diverged.assign(flags);
        end_step(backend, diverged.span(), 1, clock.span());
        flags[0] = 1;
        diverged.assign(flags);
        end_step(backend, diverged.span(), 0, clock.span());
        const StepClock now = clock.to_host().front();
        EXPECT_EQ(now.diverged_step, 2);
        EXPECT_EQ(now.diverged_row, first) << nodes << " nodes";
        EXPECT_EQ(now.step, 3);
      });
}

TYPED_TEST(StepClockOn, NotesTheFirstDivergenceOfEachReplica) {
  for (const int nodes : {1, 33, 1025})
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      constexpr int kReplicas = 4;
      std::vector<std::uint8_t> flags(kReplicas * nodes);
      Buffer<TypeParam, std::uint8_t> diverged(backend, flags);
      const Buffer<TypeParam, StepClock> clocks(backend, 1, kReplicas);
      const auto step = [&](int row) {
        flags[row] = 1;
        diverged.assign(flags);
        end_step(backend, diverged.span(), 1, clocks.span());
      };
      step(2 * nodes + nodes - 1);
      step(2 * nodes);
      step(0);
      step(4 * nodes - 1);
      const std::vector<StepClock> now = clocks.to_host();
      const std::vector<std::int64_t> steps = {3, 0, 1, 4}, rows = {0, 0, 3 * nodes - 1, 4 * nodes - 1};
      for (int r = 0; r < kReplicas; ++r) {
        EXPECT_EQ(now[r].step, 4);
        EXPECT_EQ(now[r].round, 4);
        EXPECT_EQ(now[r].diverged_step, steps[r]) << "replica " << r << ", " << nodes << " nodes";
        EXPECT_EQ(now[r].diverged_row, rows[r]) << "replica " << r << ", " << nodes << " nodes";
      }
    });
}

TYPED_TEST(StepClockOn, RefusesRowsThatAreNotOfEqualReplicas) {
  const TypeParam backend = tested_backend<TypeParam>();
  const Buffer<TypeParam, std::uint8_t> diverged(backend, 1, 5);
  const Buffer<TypeParam, StepClock> clocks(backend, 1, 2);
  EXPECT_THROW(end_step(backend, diverged.span(), 1, clocks.span()), std::invalid_argument);
  EXPECT_THROW(end_step(backend, diverged.span(), 1, {}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
