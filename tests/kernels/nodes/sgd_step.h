// SGD steps for tests, and what they should do.
#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/nodes/sgd_update.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {

/// [nodes, row] arrays and what the step is taken with.
struct Step {
  RowLayout layout;
  int nodes;
  std::vector<float> x, momentum, gradient;
  std::vector<double> u;
  std::vector<SgdSettings> settings = {{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 1e-3f}};
  bool nesterov = false;
  std::vector<std::uint8_t> diverged;
  std::vector<float> z = {}, steps = {};  ///< where z stands in memory, and what takes every step too; if any
  std::vector<float> second = {};         ///< of optimizers with another array
};

inline Step random_step(const std::vector<std::int64_t>& sizes, int nodes) {
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

/// The same with the arrays that not every step has.
inline Step random_step_with_all(const std::vector<std::int64_t>& sizes, int nodes) {
  Step step = random_step(sizes, nodes);
  step.z = random_step(sizes, nodes + 1).x;
  step.z.resize(step.x.size());
  step.steps = random_step(sizes, nodes + 1).momentum;
  step.steps.resize(step.x.size());
  step.u.assign(nodes, 1.0);
  return step;
}

/// s of the definition of SGD, from z and g with weight decay.
inline float sgd_direction_of(const SgdSettings& s, bool nesterov, float& momentum, float g) {
  momentum = std::fma(s.momentum, momentum, g);
  return nesterov ? std::fma(s.momentum, momentum, g) : momentum;
}

/// The same after a step along direction_of(settings, z, momentum, second, g), by the definition.
template <class Direction>
Step expected_step(Step step, const Direction& direction_of) {
  for (int node = 0; node < step.nodes; ++node) {
    const SgdSettings& s = step.settings[node / (step.nodes / step.settings.size())];
    const float r = static_cast<float>(1.0 / step.u[node]);
    for (const Segment& segment : step.layout.segments) {
      for (std::int64_t j = segment.begin; j < segment.begin + segment.size; ++j) {
        const std::size_t at = node * step.layout.row + j;
        const float z = step.z.empty() ? step.x[at] * r : step.z[at];
        const float g = std::fma(s.weight_decay, z, step.gradient[at]);
        float none = 0;
        const float direction = direction_of(s, z, step.momentum[at], step.second.empty() ? none : step.second[at], g);
        step.x[at] = std::fma(-s.lr, direction, step.x[at]);
        if (!step.steps.empty()) step.steps[at] = std::fma(-s.lr, direction, step.steps[at]);
        if (!std::isfinite(step.x[at])) step.diverged[node] = 1;
      }
    }
  }
  return step;
}

/// That of a step of SGD.
inline auto sgd_direction_in(const Step& step) {
  return [nesterov = step.nesterov](const SgdSettings& s, float, float& momentum, float&, float g) {
    return sgd_direction_of(s, nesterov, momentum, g);
  };
}
inline Step expected_step(const Step& step) { return expected_step(step, sgd_direction_in(step)); }

/// The step's arrays in the memory of a backend.
template <class Backend>
class StepOn {
 public:
  StepOn(const Backend& backend, const Step& step)
      : x_(backend, step.nodes, static_cast<int>(step.layout.row), step.x),
        momentum_(backend, step.nodes, static_cast<int>(step.layout.row), step.momentum),
        gradient_(backend, step.nodes, static_cast<int>(step.layout.row), step.gradient),
        z_(on(backend, step, step.z)),
        steps_(on(backend, step, step.steps)),
        second_(on(backend, step, step.second)),
        u_(backend, step.u),
        settings_(backend, step.settings),
        diverged_(backend, step.diverged),
        nesterov_(step.nesterov) {}

  SgdUpdate update() const {
    return {.x = x_.view(),
            .momentum = momentum_.view(),
            .gradient = gradient_.view(),
            .u = u_.span(),
            .settings = settings_.span(),
            .nesterov = nesterov_,
            .diverged = diverged_.span(),
            .z = rows_of(z_),
            .steps = rows_of(steps_)};
  }
  MatrixView<float> second() const { return rows_of(second_); }
  void read_back(Step& step) const {
    step.x = x_.to_host();
    step.momentum = momentum_.to_host();
    step.diverged = diverged_.to_host();
    step.steps = steps_.to_host();
    step.second = second_.to_host();
  }

 private:
  /// No rows where there are no values.
  static Buffer<Backend, float> on(const Backend& backend, const Step& step, const std::vector<float>& values) {
    return {backend, values.empty() ? 0 : step.nodes, static_cast<int>(step.layout.row), values};
  }
  static MatrixView<float> rows_of(const Buffer<Backend, float>& buffer) {
    return buffer.view().rows == 0 ? MatrixView<float>{} : buffer.view();
  }

  Buffer<Backend, float> x_, momentum_, gradient_, z_, steps_, second_;
  Buffer<Backend, double> u_;
  Buffer<Backend, SgdSettings> settings_;
  Buffer<Backend, std::uint8_t> diverged_;
  bool nesterov_;
};

/// Expects of op(backend, layout, update, second), for every way to run it, what direction_of defines.
template <class Backend, class Direction, class Op>
void expect_step(const Step& step, const Direction& direction_of, const Op& op) {
  const Step wanted = expected_step(step, direction_of);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const StepOn<Backend> there(backend, step);
    op(backend, layout_on(backend, step.layout), there.update(), there.second());
    Step actual = step;
    there.read_back(actual);
    EXPECT_TRUE(same_values(actual.x, wanted.x)) << step.layout.row;
    EXPECT_TRUE(same_values(actual.momentum, wanted.momentum)) << step.layout.row;
    EXPECT_TRUE(same_values(actual.second, wanted.second)) << step.layout.row;
    EXPECT_TRUE(same_values(actual.steps, wanted.steps)) << step.layout.row;
    EXPECT_EQ(actual.diverged, wanted.diverged) << step.layout.row;
  });
}

}  // namespace sparsepush
