// What normalization refuses: arrays that do not fit.
#include <gtest/gtest.h>

#include <stdexcept>
#include <type_traits>

#include "kernels/layers/normalize/normalize.h"
#include "tests/backends.h"
#include "tests/kernels/layers/normalize/normalize_case.h"

namespace sparsepush {
namespace {

template <class Backend>
class NormalizeRefusalsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(NormalizeRefusalsOn, Backends);

TYPED_TEST(NormalizeRefusalsOn, FourChannelsBeginOnSixteenBytes) {
  if (std::is_same_v<TypeParam, Cpu>) GTEST_SKIP() << "the Cpu takes them anywhere";
  const NormalizeCase c(Norm::kNone, {1, 1, 4}, 1, 1, 1, true, Shortcut::kIdentity, Shortcut::kIdentity);
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_refused = [&](auto change) {
    c.forward(backend, [&](NormalizeForward f) {
      change(f);
      EXPECT_THROW(normalize_forward(backend, f), std::invalid_argument);
    });
  };
  expect_refused([](NormalizeForward& f) { ++f.input.data; });
  expect_refused([](NormalizeForward& f) { ++f.skip.data; });
  expect_refused([](NormalizeForward& f) { ++f.output.data; });
  const auto expect_refused_backward = [&](auto change) {
    c.backward(backend, forward(backend, c), [&](NormalizeBackward b) {
      change(b);
      EXPECT_THROW(normalize_backward(backend, b), std::invalid_argument);
    });
  };
  expect_refused_backward([](NormalizeBackward& b) { ++b.input.data; });
  expect_refused_backward([](NormalizeBackward& b) { ++b.output.data; });
  expect_refused_backward([](NormalizeBackward& b) { ++b.output_gradient.data; });
  expect_refused_backward([](NormalizeBackward& b) { ++b.skip_gradient.data; });
  expect_refused_backward([](NormalizeBackward& b) { ++b.input_gradient.data; });
}

TYPED_TEST(NormalizeRefusalsOn, RefusesTooLittleScratch) {
  if (std::is_same_v<TypeParam, Cpu>) GTEST_SKIP() << "the Cpu needs none";
  const TypeParam backend = tested_backend<TypeParam>();
  for (const Norm norm : {Norm::kBatch, Norm::kGroup, Norm::kEvoNorm}) {
    const NormalizeCase c(norm, {3, 2, 4}, 2, 2, 2);
    for (const int too_few : {1, 2})
      c.forward(backend, [&](NormalizeForward f) {
        f.scratch.cols -= too_few;  // one is more than it needs
        if (too_few == 1)
          EXPECT_NO_THROW(normalize_forward(backend, f));
        else
          EXPECT_THROW(normalize_forward(backend, f), std::invalid_argument);
        f.scratch.rows = 1;
        EXPECT_THROW(normalize_forward(backend, f), std::invalid_argument);
      });
    c.backward(backend, forward(backend, c), [&](NormalizeBackward b) {
      b.scratch.cols -= 2;
      EXPECT_THROW(normalize_backward(backend, b), std::invalid_argument);
    });
  }
}

TEST(Normalize, RefusesForwardShapesThatDoNotFit) {
  const NormalizeCase good(Norm::kEvoNorm, {5, 3, 8}, 2, 2, 2, true, Shortcut::kOptionA);
  const auto expect_refused = [&](auto change, Norm norm = Norm::kEvoNorm) {
    NormalizeCase c = good;
    c.layer.norm = norm;
    EXPECT_NO_THROW(c.forward(tested_cpu(1), [](const NormalizeForward& f) { check_normalize_forward_shapes(f); }));
    const auto refused = [&](NormalizeForward f) {
      change(f);
      EXPECT_THROW(normalize_forward(tested_cpu(1), f), std::invalid_argument);
    };
    c.forward(tested_cpu(1), refused);
  };
  expect_refused([](NormalizeForward& f) { f.layer.shape.channels = 0; });
  expect_refused([](NormalizeForward& f) { f.u = f.u.first(1); });
  expect_refused([](NormalizeForward& f) { f.input.rows = 3; });
  expect_refused([](NormalizeForward& f) { f.input.cols -= 1; });
  expect_refused([](NormalizeForward& f) { f.output.rows = 2; });
  expect_refused([](NormalizeForward& f) { f.output.cols += 1; });
  expect_refused([](NormalizeForward& f) { f.layer.gamma = -1; });
  expect_refused([](NormalizeForward& f) { f.layer.beta = f.x.cols - 7; });
  expect_refused([](NormalizeForward& f) { f.layer.v = f.x.cols - 7; });
  expect_refused([](NormalizeForward& f) { f.layer.groups = 3; });
  expect_refused([](NormalizeForward& f) { f.layer.groups = 0; }, Norm::kGroup);
  expect_refused([](NormalizeForward& f) { f.saved.cols = 7; });
  expect_refused([](NormalizeForward& f) { f.saved.rows = 1; });
  expect_refused([](NormalizeForward& f) { f.skip = {}; });
  expect_refused([](NormalizeForward& f) { f.skip.rows = 2; });
  expect_refused([](NormalizeForward& f) { f.layer.skip.height = 8; });
  expect_refused([](NormalizeForward& f) { f.layer.skip.channels = 8; });
  expect_refused([](NormalizeForward& f) { f.statistics.cols = 17; }, Norm::kBatch);
  expect_refused([](NormalizeForward& f) { f.statistics.rows = 1; }, Norm::kBatch);
  expect_refused([](NormalizeForward& f) { f.layer.statistics = -1; }, Norm::kBatch);
}

TEST(Normalize, RefusesBackwardShapesThatDoNotFit) {
  const NormalizeCase good(Norm::kGroup, {5, 3, 8}, 2, 2, 2, true, Shortcut::kNone, Shortcut::kOptionA);
  const NormalizeCase::Forward before = forward(tested_cpu(1), good);
  const auto expect_refused = [&](auto change) {
    const auto refused = [&](NormalizeBackward b) {
      EXPECT_NO_THROW(check_normalize_backward_shapes(b));
      change(b);
      EXPECT_THROW(normalize_backward(tested_cpu(1), b), std::invalid_argument);
    };
    good.backward(tested_cpu(1), before, refused);
  };
  expect_refused([](NormalizeBackward& b) { b.output.rows = 2; });
  expect_refused([](NormalizeBackward& b) { b.saved.cols = 7; });
  expect_refused([](NormalizeBackward& b) { b.output_gradient.cols -= 1; });
  expect_refused([](NormalizeBackward& b) { b.input_gradient = {}; });
  expect_refused([](NormalizeBackward& b) { b.gradient.rows = 1; });
  expect_refused([](NormalizeBackward& b) { b.gradient.cols -= 1; });
  expect_refused([](NormalizeBackward& b) { b.skip_gradient.rows = 2; });
  expect_refused([](NormalizeBackward& b) { b.skip_shape.width = 3; });
  expect_refused([](NormalizeBackward& b) { b.skip_gradient.cols -= 1; });
}

}  // namespace
}  // namespace sparsepush
