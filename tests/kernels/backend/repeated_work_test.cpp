#include "kernels/backend/repeated_work.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/nodes/step_clock.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class RepeatedWorkOn : public BackendTest<Backend> {
 protected:
  struct Clock {
    Backend backend = tested_backend<Backend>();
    Buffer<Backend, StepClock> clock{backend, 1, 1};
    Buffer<Backend, std::uint8_t> diverged{backend, 1, 3};
    RepeatedWork<Backend> work;

    void step(int rounds) { end_step(backend, diverged.span(), rounds, clock.span()); }
    StepClock now() const { return clock.to_host().front(); }
  };
  /// The clock's steps at a host call, and the step that it was called with.
  using Seen = std::vector<std::pair<std::int64_t, std::int64_t>>;
};
TYPED_TEST_SUITE(RepeatedWorkOn, Backends);

TYPED_TEST(RepeatedWorkOn, IsDoneEachTimeOnce) {
  for_each_stream_order<TypeParam>([] {
    typename TestFixture::Clock c;
    for (int i = 1; i <= 4; ++i) {
      c.work.run(c.backend, 0, i, [&] {
        c.step(0);
        c.step(1);
      });
      EXPECT_EQ(c.now().step, 2 * i);
      EXPECT_EQ(c.now().round, i);
    }
  });
}

TYPED_TEST(RepeatedWorkOn, KeepsARecordOfEachNumber) {
  typename TestFixture::Clock c;
  for (int i = 0; i < 6; ++i) c.work.run(c.backend, i % 3, i, [&] { c.step(i % 3 == 2 ? 1 : 0); });
  EXPECT_EQ(c.now().step, 6);
  EXPECT_EQ(c.now().round, 2);
}

TYPED_TEST(RepeatedWorkOn, CallsTheHostInTheMiddleWithTheStepOfEachTime) {
  for_each_stream_order<TypeParam>([] {
    typename TestFixture::Clock c;
    typename TestFixture::Seen seen, again;
    const auto look = [&c](auto& at) { return [&c, &at](std::int64_t step) { at.emplace_back(c.now().step, step); }; };
    for (const std::int64_t step : {7, 8, 20})
      c.work.run(c.backend, 0, step, [&] {
        c.work.host_call(look(again));
        c.step(0);
        c.work.host_call(look(seen));
        c.work.host_call([&c](std::int64_t) { c.step(1); });  // not recorded: called each time
        c.step(0);
      });
    EXPECT_EQ(again, (typename TestFixture::Seen{{0, 7}, {3, 8}, {6, 20}}));
    EXPECT_EQ(seen, (typename TestFixture::Seen{{1, 7}, {4, 8}, {7, 20}}));
    EXPECT_EQ(c.now().step, 9);
    EXPECT_EQ(c.now().round, 3);
  });
}

TYPED_TEST(RepeatedWorkOn, CallsTheHostAtOnceOutsideOfRecords) {
  typename TestFixture::Clock c;
  std::vector<std::int64_t> steps;
  const auto call = [&](std::int64_t step) { steps.push_back(step); };
  c.work.run_unrecorded(4, [&] {
    c.step(0);
    c.work.host_call(call);
  });
  c.work.host_call(call);
  c.work.run(c.backend, 0, 9, [&] { c.work.host_call([&](std::int64_t) { c.work.host_call(call); }); });
  EXPECT_EQ(steps, (std::vector<std::int64_t>{4, 4, 9}));
  EXPECT_EQ(c.now().step, 1);
}

TYPED_TEST(RepeatedWorkOn, IsAPartOfTheWorkThatItIsDoneIn) {
  typename TestFixture::Clock c;
  for (int i = 0; i < 3; ++i)
    c.work.run(c.backend, 0, i, [&] {
      c.step(0);
      c.work.run(c.backend, 1, i, [&] { c.step(1); });
      c.step(0);
    });
  EXPECT_EQ(c.now().step, 9);
  EXPECT_EQ(c.now().round, 3);
}

TYPED_TEST(RepeatedWorkOn, BeginsAnewWhereItWasForgotten) {
  typename TestFixture::Clock c;
  const Buffer<TypeParam, StepClock> clocks(c.backend, 1, 2);
  const auto run = [&](int clock) {
    c.work.run(c.backend, 0, 0, [&] { end_step(c.backend, c.diverged.span(), 1, clocks.span().subspan(clock, 1)); });
  };
  run(0);
  c.work.forget();
  run(1);
  run(1);
  EXPECT_EQ(clocks.to_host()[0].round, 1);
  EXPECT_EQ(clocks.to_host()[1].round, 2);
}

TYPED_TEST(RepeatedWorkOn, IsNotKeptWhereItFails) {
  typename TestFixture::Clock c;
  EXPECT_THROW(c.work.run(c.backend, 0, 0,
                          [&] {
                            c.step(0);
                            throw std::runtime_error("failed");
                          }),
               std::runtime_error);
  const std::int64_t before = c.now().step;
  c.work.run(c.backend, 0, 0, [&] { c.step(1); });
  EXPECT_EQ(c.now().step, before + 1);
  EXPECT_EQ(c.now().round, 1);
}

TYPED_TEST(RepeatedWorkOn, GoesOnAfterItsFirstHostCallHasThrown) {
  for_each_stream_order<TypeParam>([] {
    for (const int failing : {0, 1, 2}) {  // 0: while the record is made
      typename TestFixture::Clock c;
      bool fails = false;
      const auto work = [&] {
        c.work.host_call([&](std::int64_t) {
          if (fails) throw std::runtime_error("no gradients");
        });
        c.step(0);
        c.work.host_call([&](std::int64_t) { c.step(1); });
      };
      for (int i = 0; i < 4; ++i) {
        fails = i == failing;
        const StepClock before = c.now();
        if (fails) {
          EXPECT_THROW(c.work.run(c.backend, 0, i, work), std::runtime_error);
          EXPECT_EQ(c.now().step, before.step);
          fails = false;
        }
        c.work.run(c.backend, 0, i, work);
      }
      EXPECT_EQ(c.now().step, 8);
      EXPECT_EQ(c.now().round, 4);
    }
  });
}

TYPED_TEST(RepeatedWorkOn, EndsWhereALaterHostCallThrows) {
  for (const int failing : {0, 1}) {
    typename TestFixture::Clock c;
    int calls = 0;
    const auto work = [&] {
      c.step(0);
      c.work.host_call([&](std::int64_t) {
        if (calls++ == failing) throw std::runtime_error("no transport");
      });
      c.step(1);
    };
    for (int i = 0; i < failing; ++i) c.work.run(c.backend, 0, i, work);
    EXPECT_THROW(c.work.run(c.backend, 0, failing, work), std::runtime_error);
    EXPECT_EQ(c.now().step, 2 * failing + 1);
    EXPECT_EQ(c.now().round, failing);
  }
}

}  // namespace
}  // namespace sparsepush
