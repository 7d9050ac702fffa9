#include "kernels/sgd_update.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/buffer.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

/// [nodes, row] arrays and what the step is taken with.
struct Step {
  RowLayout layout;
  int nodes;
  std::vector<float> x, momentum, gradient;
  std::vector<double> u;
  std::vector<SgdSettings> settings = {{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 1e-3f}};
  bool nesterov = false;
  std::vector<std::uint8_t> diverged;
};

Step random_step(const std::vector<std::int64_t>& sizes, int nodes) {
  Step step{.layout = make_row_layout(sizes),
            .nodes = nodes,
            .x = {},
            .momentum = {},
            .gradient = {},
            .u = {},
            .diverged = std::vector<std::uint8_t>(nodes, 0)};
  std::mt19937 generator(static_cast<unsigned>(step.layout.row));
  std::normal_distribution<float> normal;
  for (std::vector<float>* values : {&step.x, &step.momentum, &step.gradient}) {
    values->assign(nodes * step.layout.row, 0.0f);
    for (int node = 0; node < nodes; ++node) {
      for (const Segment& s : step.layout.segments) {
        for (std::int64_t j = 0; j < s.size; ++j) (*values)[node * step.layout.row + s.begin + j] = normal(generator);
      }
    }
  }
  for (int node = 0; node < nodes; ++node) step.u.push_back(0.7 + 0.1 * node);
  return step;
}

Step expected(Step step) {
  for (int node = 0; node < step.nodes; ++node) {
    const SgdSettings& s = step.settings[node / (step.nodes / step.settings.size())];
    const float r = static_cast<float>(1.0 / step.u[node]);
    for (const Segment& segment : step.layout.segments) {
      for (std::int64_t j = segment.begin; j < segment.begin + segment.size; ++j) {
        const std::size_t at = node * step.layout.row + j;
        const float g = std::fma(s.weight_decay, step.x[at] * r, step.gradient[at]);
        const float m = std::fma(s.momentum, step.momentum[at], g);
        step.momentum[at] = m;
        step.x[at] = std::fma(-s.lr, step.nesterov ? std::fma(s.momentum, m, g) : m, step.x[at]);
        if (!std::isfinite(step.x[at])) step.diverged[node] = 1;
      }
    }
  }
  return step;
}

template <class Backend>
Step updated(const Backend& backend, Step step) {
  const int row = static_cast<int>(step.layout.row);
  const Buffer<Backend, float> x(backend, step.nodes, row, step.x), momentum(backend, step.nodes, row, step.momentum),
      gradient(backend, step.nodes, row, step.gradient);
  const Buffer<Backend, double> u(backend, step.u);
  const Buffer<Backend, SgdSettings> settings(backend, step.settings);
  const Buffer<Backend, std::uint8_t> diverged(backend, step.diverged);
  sgd_update(backend, layout_on(backend, step.layout),
             {.x = x.view(),
              .momentum = momentum.view(),
              .gradient = gradient.view(),
              .u = u.span(),
              .settings = settings.span(),
              .nesterov = step.nesterov,
              .diverged = diverged.span()});
  step.x = x.to_host();
  step.momentum = momentum.to_host();
  step.diverged = diverged.to_host();
  return step;
}

template <class Backend>
void expect_definition(const Step& step) {
  const Step wanted = expected(step);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const Step actual = updated(backend, step);
    EXPECT_TRUE(same_values(actual.x, wanted.x)) << step.layout.row;
    EXPECT_TRUE(same_values(actual.momentum, wanted.momentum)) << step.layout.row;
    EXPECT_EQ(actual.diverged, wanted.diverged) << step.layout.row;
  });
}

template <class Backend>
class SgdUpdateOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(SgdUpdateOn, Backends);

TYPED_TEST(SgdUpdateOn, IsTheDefinitionForSizesAroundVectorsAndPieces) {
  for (const std::vector<std::int64_t>& sizes : std::vector<std::vector<std::int64_t>>{
           {1}, {15}, {16}, {17}, {31, 33, 1, 2}, {32768}, {32767, 5}, {32766, 32769}, {70001, 3}}) {
    Step step = random_step(sizes, 2);
    expect_definition<TypeParam>(step);
    step.nesterov = true;
    expect_definition<TypeParam>(step);
  }
}

TYPED_TEST(SgdUpdateOn, UsesTheSettingsOfTheNodesReplica) {
  Step step = random_step({100, 7}, 6);
  step.settings = {{0.1f, 0.9f, 0.5f}, {0.0f, 0.0f, 0.0f}, {1.0f, 0.1f, 0.25f}};
  expect_definition<TypeParam>(step);
}

TYPED_TEST(SgdUpdateOn, MarksTheNodesWhoseXIsNotFiniteAndNoOthers) {
  Step step = random_step({40000, 9}, 5);
  const std::int64_t row = step.layout.row;
  step.gradient[1 * row + 39999] = std::numeric_limits<float>::infinity();
  step.x[2 * row + 5] = std::numeric_limits<float>::quiet_NaN();
  step.x[3 * row + 5] = std::numeric_limits<float>::max();
  step.gradient[3 * row + 5] = -std::numeric_limits<float>::max();
  step.settings[0].lr = 10;
  step.diverged[4] = 1;  // from an earlier step: left alone
  expect_definition<TypeParam>(step);
  EXPECT_EQ(expected(step).diverged, (std::vector<std::uint8_t>{0, 1, 1, 1, 1}));
}

TYPED_TEST(SgdUpdateOn, LeavesPaddingZeroWhereEverythingElseIsNaN) {
  Step step = random_step({1, 2, 3}, 1);
  step.u[0] = 0;
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Step actual = updated(backend, step);
    for (const std::int64_t padding : {1, 2, 3, 6, 7, 11})
      EXPECT_EQ(std::bit_cast<std::uint32_t>(actual.x[padding]), 0u) << padding;
  });
}

TEST(SgdUpdate, RefusesShapesThatDoNotFit) {
  const Step step = random_step({8}, 2);
  const Cpu cpu(1);
  Buffer<Cpu, float> state(cpu, 2, 8), narrow(cpu, 2, 4), one(cpu, 1, 8);
  std::vector<std::uint8_t> diverged(2);
  const std::vector<SgdSettings> three(3);
  const SgdUpdate good{.x = state.view(),
                       .momentum = state.view(),
                       .gradient = state.view(),
                       .u = step.u,
                       .settings = step.settings,
                       .diverged = diverged};
  EXPECT_NO_THROW(check_sgd_update_shapes(step.layout, good));
  const auto expect_refused = [&](auto change) {
    SgdUpdate bad = good;
    change(bad);
    EXPECT_THROW(sgd_update(cpu, step.layout, bad), std::invalid_argument);
  };
  expect_refused([&](SgdUpdate& bad) { bad.x = narrow.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.momentum = one.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.gradient = narrow.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.u = bad.u.first(1); });
  expect_refused([&](SgdUpdate& bad) { bad.settings = three; });
  expect_refused([&](SgdUpdate& bad) { bad.settings = {}; });
  expect_refused([&](SgdUpdate& bad) { bad.diverged = bad.diverged.first(1); });
}

}  // namespace
}  // namespace sparsepush
