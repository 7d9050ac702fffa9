// SGD steps for tests, and what they should do.
#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/nodes/sgd_update.h"

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

/// The same after the step, by the definition.
inline Step expected_step(Step step) {
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

/// The step's arrays in the memory of a backend.
template <class Backend>
class StepOn {
 public:
  StepOn(const Backend& backend, const Step& step)
      : x_(backend, step.nodes, static_cast<int>(step.layout.row), step.x),
        momentum_(backend, step.nodes, static_cast<int>(step.layout.row), step.momentum),
        gradient_(backend, step.nodes, static_cast<int>(step.layout.row), step.gradient),
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
            .diverged = diverged_.span()};
  }
  void read_back(Step& step) const {
    step.x = x_.to_host();
    step.momentum = momentum_.to_host();
    step.diverged = diverged_.to_host();
  }

 private:
  Buffer<Backend, float> x_, momentum_, gradient_;
  Buffer<Backend, double> u_;
  Buffer<Backend, SgdSettings> settings_;
  Buffer<Backend, std::uint8_t> diverged_;
  bool nesterov_;
};

}  // namespace sparsepush
