#include "kernels/repeated_work.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "kernels/buffer.h"
#include "kernels/step_clock.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class RepeatedWorkOn : public BackendTest<Backend> {
 protected:
  struct Clock {
    Backend backend;
    Buffer<Backend, StepClock> clock{backend, 1, 1};
    Buffer<Backend, std::uint8_t> diverged{backend, 1, 3};
    RepeatedWork<Backend> work;

    void step(int rounds) { end_step(backend, diverged.span(), rounds, clock.span().data()); }
    StepClock now() const { return clock.to_host().front(); }
  };
};
TYPED_TEST_SUITE(RepeatedWorkOn, Backends);

TYPED_TEST(RepeatedWorkOn, IsDoneEachTimeOnce) {
  typename TestFixture::Clock c;
  for (int i = 1; i <= 4; ++i) {
    c.work.run(c.backend, [&] {
      c.step(0);
      c.step(1);
    });
    EXPECT_EQ(c.now().step, 2 * i);
    EXPECT_EQ(c.now().round, i);
  }
}

TYPED_TEST(RepeatedWorkOn, IsNotKeptWhereItFails) {
  typename TestFixture::Clock c;
  EXPECT_THROW(c.work.run(c.backend,
                          [&] {
                            c.step(0);
                            throw std::runtime_error("failed");
                          }),
               std::runtime_error);
  const std::int64_t before = c.now().step;
  c.work.run(c.backend, [&] { c.step(1); });
  EXPECT_EQ(c.now().step, before + 1);
  EXPECT_EQ(c.now().round, 1);
}

}  // namespace
}  // namespace sparsepush
