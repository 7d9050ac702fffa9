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
    for (const int rounds : {0, 1, 1}) end_step(backend, diverged.span(), rounds, clock.span().data());
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
        end_step(backend, diverged.span(), 1, clock.span().data());
        for (int row = first; row < nodes; row += 3) flags[row] = 1;
        diverged.assign(flags);
        end_step(backend, diverged.span(), 1, clock.span().data());
        flags[0] = 1;
        diverged.assign(flags);
        end_step(backend, diverged.span(), 0, clock.span().data());
        const StepClock now = clock.to_host().front();
        EXPECT_EQ(now.diverged_step, 2);
        EXPECT_EQ(now.diverged_row, first) << nodes << " nodes";
        EXPECT_EQ(now.step, 3);
      });
}

}  // namespace
}  // namespace sparsepush
