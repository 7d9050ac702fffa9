#include "kernels/messages/low_rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/messages/factored_messages.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

using Shape = std::pair<int, int>;  ///< rows, columns

RowLayout layout_of(const std::vector<Shape>& shapes) {
  std::vector<std::int64_t> sizes;
  for (const auto& [rows, columns] : shapes) sizes.push_back(std::int64_t{rows} * columns);
  RowLayout layout = make_row_layout(sizes);
  for (std::size_t s = 0; s < shapes.size(); ++s) layout.segments[s].rows = shapes[s].first;
  return layout;
}

/// Rows and factors of some nodes, and what messages make of them.
struct Case {
  Case(const std::vector<Shape>& shapes, int rank, int nodes)
      : layout(layout_of(shapes)), plan(make_low_rank_plan(layout, rank)), nodes(nodes), v(nodes * layout.row) {
    std::mt19937 generator(static_cast<unsigned>(layout.row) + rank);
    for (int node = 0; node < nodes; ++node)
      for (const Segment& segment : layout.segments) {
        const std::vector<float> values = random_values(segment.size, generator);
        std::ranges::copy(values, v.begin() + node * layout.row + segment.begin);
      }
    factor = random_values(nodes * plan.factors, generator);
  }
  /// Replaces v and factor by what a message leaves, and returns q.
  std::vector<float> send() {
    std::vector<float> q(v.size());
    for (int node = 0; node < nodes; ++node)
      for (const LowRankTensor& tensor : plan.tensors) {
        const auto begin = v.begin() + node * layout.row + tensor.begin;
        std::vector<float> m(begin, begin + tensor.elements()), sent = m;
        if (tensor.rank > 0) {
          const auto w_begin = factor.begin() + node * plan.factors + tensor.factor_begin;
          std::vector<float> w(w_begin, w_begin + tensor.columns * tensor.rank);
          sent = product_of(factors_of(m, static_cast<int>(tensor.rows), static_cast<int>(tensor.columns),
                                       static_cast<int>(tensor.rank), w));
          std::ranges::copy(w, w_begin);
        }
        for (std::size_t i = 0; i < m.size(); ++i) {
          q[begin - v.begin() + i] = sent[i];
          begin[static_cast<std::ptrdiff_t>(i)] -= sent[i];
        }
      }
    return q;
  }

  RowLayout layout;
  LowRankPlan plan;
  int nodes;
  std::vector<float> v, factor;
};

/// A case in the memory of a backend.
template <class Backend>
struct CaseOn {
  CaseOn(const Backend& backend, const Case& c)
      : backend(backend),
        v(backend, c.nodes, static_cast<int>(c.layout.row), c.v),
        q(backend, c.nodes + 1, static_cast<int>(c.layout.row)),
        factor(backend, c.nodes, static_cast<int>(c.plan.factors), c.factor),
        tensors(backend, c.plan.tensors),
        workspace(backend, 5, static_cast<int>(c.plan.scratch)) {}
  void send() const {
    low_rank(backend, {.v = v.view(),
                       .q = q.view(),
                       .factor = factor.view(),
                       .tensors = tensors.span(),
                       .scratch = workspace.view().cols,
                       .workspace = workspace.view()});
  }

  const Backend& backend;
  Buffer<Backend, float> v, q, factor;
  Buffer<Backend, LowRankTensor> tensors;
  Buffer<Backend, float> workspace;  ///< of fewer matrices at once than there are
};

template <class Backend>
class LowRankOn : public BackendTest<Backend> {
 protected:
  static void expect_definition(Case c, int messages = 2) {
    const Case before = c;
    std::vector<float> q;
    for (int i = 0; i < messages; ++i) q = c.send();
    for_each_way_to_run<Backend>([&](const Backend& backend) {
      const CaseOn<Backend> there(backend, before);
      for (int i = 0; i < messages; ++i) there.send();
      std::vector<float> sent = there.q.to_host();
      sent.resize(q.size());
      EXPECT_TRUE(same_values(sent, q));
      EXPECT_TRUE(same_values(there.v.to_host(), c.v));
      EXPECT_TRUE(same_values(there.factor.to_host(), c.factor));
    });
  }
};
TYPED_TEST_SUITE(LowRankOn, Backends);

TYPED_TEST(LowRankOn, MessagesAreThoseOfTheDefinition) {
  this->expect_definition({{{7, 5}, {3, 1}, {9, 33}, {1, 20}, {17, 18}, {2, 2}}, 2, 3});
  this->expect_definition({{{19, 20}, {9, 33}, {17, 18}, {13, 21}}, 2, 20});  // more than blocks
  this->expect_definition({{{40, 21}}, 5, 2});
  this->expect_definition({{{6, 6}, {5, 300}}, 1, 1});
}

TYPED_TEST(LowRankOn, AZeroMatrixBetweenOthersChangesNothing) {
  Case c({{7, 5}, {6, 7}, {4, 9}}, 2, 2);
  const Segment& middle = c.layout.segments[1];
  for (int node = 0; node < c.nodes; ++node)
    std::fill_n(c.v.begin() + node * c.layout.row + middle.begin, middle.size, 0.0f);
  const std::vector<float> w = c.factor;
  this->expect_definition(c);
  c.send();
  const LowRankTensor& tensor = c.plan.tensors[1];
  for (std::int64_t i = tensor.factor_begin; i < tensor.factor_begin + tensor.columns * tensor.rank; ++i)
    EXPECT_EQ(c.factor[i], w[i]) << "columns of norm 0 keep what they begin with";
}

/// A matrix of rank 1: the second column of P is the rounding of what is left, or 0.
TYPED_TEST(LowRankOn, MatricesOfLowerRankAreThoseOfTheDefinition) {
  Case c({{5, 8}}, 2, 1);
  for (int a = 0; a < 5; ++a)
    for (int b = 0; b < 8; ++b) c.v[a * 8 + b] = static_cast<float>((a - 2) * (b + 1));
  this->expect_definition(c, 3);
}

TYPED_TEST(LowRankOn, WhatIsLeftIsNeverMoreThanThereWas) {
  const Case c({{20, 15}}, 2, 1);
  const TypeParam backend = tested_backend<TypeParam>();
  CaseOn<TypeParam> there(backend, c);
  const auto norm = [](const std::vector<float>& v) {
    return std::sqrt(ordered_sum_of_16(v.size(), [&](std::size_t i) { return double{v[i]} * v[i]; }));
  };
  double before = 0;
  for (int i = 0; i < 15; ++i) {  // the same matrix again: the factors come to its best ones
    there.v.assign(c.v);
    there.send();
    const double left = norm(there.v.to_host());
    EXPECT_LT(left, i == 0 ? norm(c.v) : before * (1 + 1e-6));
    before = left;
  }
  const auto sent = there.q.to_host(), left = there.v.to_host();
  for (std::size_t i = 0; i < left.size(); ++i)
    EXPECT_LE(std::abs(double{sent[i]} + left[i] - c.v[i]), 0x1p-24 * (std::abs(sent[i]) + std::abs(c.v[i])));
}

TEST(LowRankPlan, SaysWhatIsSentAsItIs) {
  const RowLayout layout = layout_of({{10, 1}, {1, 10}, {4, 4}, {5, 4}, {30, 20}, {7, 1}});
  const LowRankPlan plan = make_low_rank_plan(layout, 2);
  std::vector<std::int64_t> ranks, begins;
  for (const LowRankTensor& tensor : plan.tensors) {
    ranks.push_back(tensor.rank);
    begins.push_back(tensor.factor_begin);
  }
  EXPECT_EQ(ranks, (std::vector<std::int64_t>{0, 0, 0, 2, 2, 0}));  // 2 (4 + 4) = 16, 2 (5 + 4) < 20
  EXPECT_EQ(begins, (std::vector<std::int64_t>{0, 0, 0, 0, 8, 0}));
  EXPECT_EQ(plan.factors, 2 * 4 + 2 * 20);
  EXPECT_EQ(plan.values, 10 + 10 + 16 + 2 * 9 + 2 * 50 + 7);
  EXPECT_EQ(plan.scratch, 31 * 2);
  EXPECT_EQ(make_low_rank_plan(layout, 100).factors, 0);
}

TEST(LowRank, RefusesOtherShapes) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> v(cpu, 2, 8), narrow(cpu, 2, 4), few(cpu, 1, 8);
  const auto send = [&](MatrixView<float> q, MatrixView<float> factor) {
    low_rank(cpu, {.v = v.view(), .q = q, .factor = factor, .tensors = {}});
  };
  EXPECT_NO_THROW(send(v.view(), narrow.view()));
  EXPECT_THROW(send(narrow.view(), narrow.view()), std::invalid_argument);
  EXPECT_THROW(send(few.view(), narrow.view()), std::invalid_argument);
  EXPECT_THROW(send(v.view(), few.view()), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
