// Rounds of update_select for its tests: states, the definition, and the op on a backend.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/messages/topk/update_select.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {

/// Everything that a round reads and writes, in host memory: [nodes, row] each.
struct State {
  std::vector<float> x, momentum, gradient, error;
  std::vector<double> u;
};

struct Result {
  State state;
  std::vector<std::vector<std::int32_t>> position;  ///< [nodes][entries]
  std::vector<std::vector<float>> value;            ///< [nodes][entries]
  std::vector<std::uint8_t> diverged;               ///< [nodes]
};

struct Setting {
  std::vector<SgdSettings> settings = {{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 1e-4f}};
  bool nesterov = false;
};

/// a before b: the larger magnitude, NaN first, then the lower position.
inline bool ranks_before(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
  return std::fabs(a) > std::fabs(b);
}

/// The definition, one coordinate and one group at a time.
inline Result expected_round(const RowLayout& layout, const std::vector<TopkPlan>& plans, State s,
                             const Setting& setting) {
  const std::size_t nodes = s.u.size();
  Result result;
  for (std::size_t node = 0; node < nodes; ++node) {
    const SgdSettings& sgd = setting.settings[node / (nodes / setting.settings.size())];
    const TopkPlan& plan = plans[node / (nodes / plans.size())];
    const float r = static_cast<float>(1.0 / s.u[node]);
    bool diverged = false;
    for (const Segment& segment : layout.segments) {
      for (std::int64_t j = segment.begin; j < segment.begin + segment.size; ++j) {
        const std::size_t at = node * layout.row + j;
        const float z = s.x[at] * r;
        const float g = std::fma(sgd.weight_decay, z, s.gradient[at]);
        s.momentum[at] = std::fma(sgd.momentum, s.momentum[at], g);
        const float step = setting.nesterov ? std::fma(sgd.momentum, s.momentum[at], g) : s.momentum[at];
        s.x[at] = std::fma(-sgd.lr, step, s.x[at]);
        s.error[at] = s.x[at] + s.error[at];
        diverged |= !std::isfinite(s.error[at]);
      }
    }
    result.diverged.push_back(diverged);
    result.position.emplace_back();
    result.value.emplace_back();
    float* const v = s.error.data() + node * layout.row;
    for (const TopkGroup& group : plan.groups) {
      std::vector<std::int32_t> order;
      for (int i = group.first_segment; i < group.last_segment; ++i) {
        for (std::int64_t j = 0; j < layout.segments[i].size; ++j) order.push_back(layout.segments[i].begin + j);
      }
      std::stable_sort(order.begin(), order.end(), [v](int a, int b) { return ranks_before(v[a], v[b]); });
      order.resize(group.entries);
      std::sort(order.begin(), order.end());
      for (const std::int32_t j : order) {
        result.position.back().push_back(j);
        result.value.back().push_back(v[j]);
        v[j] = 0;
      }
    }
  }
  result.state = std::move(s);
  return result;
}

/// The op with what it remembers from round to round.
template <class Backend>
class Emulated {
 public:
  Emulated(const Backend& backend, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans)
      : backend_(backend), nodes_(nodes), layout_(layout), plans_(plans), memory_(backend, nodes, layout, plans) {}

  Result round(const State& s, const Setting& setting) {
    const int row = static_cast<int>(layout_.row);
    std::int64_t entries = 0;
    for (const TopkPlan& plan : plans_) entries = std::max(entries, plan.entries);
    Array<float> x(backend_, nodes_, row, s.x), momentum(backend_, nodes_, row, s.momentum),
        gradient(backend_, nodes_, row, s.gradient), error(backend_, nodes_, row, s.error),
        value(backend_, nodes_ + 1, static_cast<int>(entries));
    Array<std::int32_t> position(backend_, nodes_ + 1, static_cast<int>(entries));
    const Array<double> u(backend_, s.u);
    const Array<SgdSettings> settings(backend_, setting.settings);
    Array<std::uint8_t> diverged(backend_, 1, nodes_);
    update_select(backend_, memory_,
                  {.sgd = {.x = x.view(),
                           .momentum = momentum.view(),
                           .gradient = gradient.view(),
                           .u = u.span(),
                           .settings = settings.span(),
                           .nesterov = setting.nesterov,
                           .diverged = diverged.span()},
                   .error = error.view(),
                   .messages = {position.view(), value.view()}});
    Result result{.state = {x.to_host(), momentum.to_host(), s.gradient, error.to_host(), s.u},
                  .position = {},
                  .value = {},
                  .diverged = diverged.to_host()};
    const std::vector<std::int32_t> positions = position.to_host();
    const std::vector<float> values = value.to_host();
    for (int node = 0; node < nodes_; ++node) {
      const std::int64_t own = plans_[node / (nodes_ / plans_.size())].entries;
      const auto p = positions.begin() + node * entries;
      const auto q = values.begin() + node * entries;
      result.position.emplace_back(p, p + own);
      result.value.emplace_back(q, q + own);
    }
    return result;
  }

 private:
  template <class T>
  using Array = Buffer<Backend, T>;

  const Backend& backend_;
  int nodes_;
  RowLayout layout_;
  std::vector<TopkPlan> plans_;
  SelectionMemory<Backend> memory_;
};

inline void expect_same(const Result& actual, const Result& wanted, const std::string& what) {
  EXPECT_TRUE(same_values(actual.state.x, wanted.state.x)) << what;
  EXPECT_TRUE(same_values(actual.state.momentum, wanted.state.momentum)) << what;
  EXPECT_TRUE(same_values(actual.state.error, wanted.state.error)) << what;
  EXPECT_EQ(actual.diverged, wanted.diverged) << what;
  ASSERT_EQ(actual.position, wanted.position) << what;
  for (std::size_t node = 0; node < wanted.value.size(); ++node)
    EXPECT_TRUE(same_values(actual.value[node], wanted.value[node])) << what << ", node " << node;
}

/// Fills the elements of all segments by fill(element of the row), and leaves the padding zero.
template <class Fill>
std::vector<float> filled(const RowLayout& layout, int nodes, const Fill& fill) {
  std::vector<float> values(nodes * layout.row, 0.0f);
  for (int node = 0; node < nodes; ++node)
    for (const Segment& s : layout.segments)
      for (std::int64_t j = s.begin; j < s.begin + s.size; ++j) values[node * layout.row + j] = fill(j);
  return values;
}

inline State random_state(const RowLayout& layout, int nodes, unsigned seed, float error_scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  const auto draw = [&](float scale) {
    return filled(layout, nodes, [&, scale](std::int64_t) { return scale * normal(generator); });
  };
  State s{draw(1), draw(0.1f), draw(1), draw(error_scale), {}};
  for (int node = 0; node < nodes; ++node) s.u.push_back(1 + 0.37 * node);
  return s;
}

/// A state whose v = x + e is `v` exactly: nothing moves, x = 0.
inline State state_of(const std::vector<float>& v, int nodes) {
  const std::vector<float> zero(v.size(), 0.0f);
  return {zero, zero, zero, v, std::vector<double>(nodes, 1.0)};
}

}  // namespace sparsepush
