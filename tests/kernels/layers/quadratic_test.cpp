#include "kernels/layers/quadratic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

/// Nodes that share three problems.
struct Case {
  static constexpr int kProblems = 3;

  Case(int nodes, int row) : nodes(nodes), row(row) {
    std::mt19937 generator(nodes * 1000 + row);
    curvature = random_values(static_cast<std::size_t>(kProblems) * row, generator);
    target = random_values(curvature.size(), generator);
    x = random_values(static_cast<std::size_t>(nodes) * row, generator);
    for (int i = 0; i < nodes; ++i) {
      problem.push_back(i * 2 % kProblems);
      u.push_back(i == 0 ? 1.0 : 0.3 + 0.7 * i);
    }
  }
  float z(int node, int j) const { return x[node * row + j] * static_cast<float>(1.0 / u[node]); }
  float slope(int node, int j) const {
    const int at = problem[node] * row + j;
    return curvature[at] * (z(node, j) - target[at]);
  }
  /// f of the node at a point, as it is written in the contract.
  template <class Point>
  double loss(int node, const Point& point) const {
    double sum = 0;
    for (int j = 0; j < row; ++j) {
      const int at = problem[node] * row + j;
      const double d = point(j) - target[at];
      sum += curvature[at] * (d * d);
    }
    return sum / 2;
  }
  double own_loss(int node) const {
    return loss(node, [&](int j) { return static_cast<double>(z(node, j)); });
  }

  int nodes, row;
  std::vector<float> curvature, target, x;
  std::vector<std::int32_t> problem;
  std::vector<double> u;
};

/// A case in the memory of a backend.
template <class Backend>
struct CaseOn {
  CaseOn(const Backend& backend, const Case& c)
      : curvature(backend, Case::kProblems, c.row, c.curvature),
        target(backend, Case::kProblems, c.row, c.target),
        x(backend, c.nodes, c.row, c.x),
        problem(backend, c.problem),
        u(backend, c.u) {}
  QuadraticView objective() const {
    return {.curvature = curvature.view(), .target = target.view(), .problem = problem.span()};
  }

  Buffer<Backend, float> curvature, target, x;
  Buffer<Backend, std::int32_t> problem;
  Buffer<Backend, double> u;
};

struct Shape {
  int nodes, row;
};
/// Around warps, blocks and the terms that a GPU adds up at once, and more nodes than blocks.
const Shape kShapes[] = {{1, 1},   {2, 31},   {3, 32},   {2, 33},   {2, 255},  {3, 256},
                         {2, 257}, {40, 300}, {2, 1023}, {2, 1024}, {2, 1025}, {30, 2049}};

template <class Backend>
void expect_the_gradient(const Case& c) {
  std::vector<float> gradient;
  std::vector<double> wanted_loss;
  for (int i = 0; i < c.nodes; ++i) {
    for (int j = 0; j < c.row; ++j) gradient.push_back(c.slope(i, j));
    wanted_loss.push_back(10.0 + i + c.own_loss(i));
  }
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const CaseOn<Backend> there(backend, c);
    const Buffer<Backend, float> out(backend, c.nodes, c.row, std::vector<float>(c.x.size(), 99));
    std::vector<double> before;
    for (int i = 0; i < c.nodes; ++i) before.push_back(10.0 + i);
    const Buffer<Backend, double> loss(backend, before);
    quadratic_gradient(backend, {.objective = there.objective(),
                                 .x = there.x.view(),
                                 .u = there.u.span(),
                                 .gradient = out.view(),
                                 .loss = loss.span()});
    EXPECT_TRUE(same_values(out.to_host(), gradient)) << c.nodes << " nodes of " << c.row;
    EXPECT_TRUE(same_values(loss.to_host(), wanted_loss)) << c.nodes << " nodes of " << c.row;
  });
}

template <class Backend>
class QuadraticOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(QuadraticOn, Backends);

TYPED_TEST(QuadraticOn, GradientAndLossAreTheContractBitForBit) {
  for (const auto& [nodes, row] : kShapes) expect_the_gradient<TypeParam>(Case(nodes, row));
}

TYPED_TEST(QuadraticOn, HardValuesStayWhatTheyAre) {
  Case c(8, 40);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float hard[] = {0.0f, -0.0f, 1e-45f, -1e-40f, 3e38f, kInfinity, -kInfinity, std::nanf("")};
  for (int i = 0; i < 8; ++i) c.x[i * 40 + 4 * i] = hard[i];
  c.curvature[2] = 0;
  c.target[3] = 1e-42f;
  c.u[2] = 1e-300;  // whose reciprocal is no float
  expect_the_gradient<TypeParam>(c);
}

TYPED_TEST(QuadraticOn, LossIsThatOfTheChosenNodes) {
  for (const auto& [nodes, row] : kShapes) {
    const Case c(nodes, row);
    std::vector<int> chosen;
    std::vector<double> wanted;
    for (int i = nodes - 1; i >= 0; i -= 1 + (nodes < 10)) {
      chosen.push_back(i);
      wanted.push_back(c.own_loss(i));
    }
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const CaseOn<TypeParam> there(backend, c);
      std::vector<double> loss(chosen.size(), -1);
      quadratic_loss(
          backend,
          {.objective = there.objective(), .x = there.x.view(), .u = there.u.span(), .nodes = chosen, .loss = loss});
      EXPECT_TRUE(same_values(loss, wanted)) << nodes << " nodes of " << row;
    });
  }
}

TYPED_TEST(QuadraticOn, LossAtAPointDoesNotRoundItToFloat) {
  for (const auto& [nodes, row] : kShapes) {
    const Case c(nodes, row);
    std::vector<double> point, wanted;
    for (int j = 0; j < row; ++j) point.push_back(0.5 + 1e-9 * j);
    const int first = nodes > 1 ? 1 : 0;
    for (int i = first; i < nodes; ++i) wanted.push_back(c.loss(i, [&](int j) { return point[j]; }));
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const CaseOn<TypeParam> there(backend, c);
      std::vector<double> loss(nodes - first, -1);
      quadratic_loss_at(backend, there.objective(), point, first, loss);
      EXPECT_TRUE(same_values(loss, wanted)) << nodes << " nodes of " << row;
    });
  }
}

TEST(Quadratic, RefusesShapesThatDoNotFit) {
  const std::vector<float> h(12);
  const std::vector<std::int32_t> problem = {0, 1};
  const std::vector<double> u(3, 1.0), point(4);
  std::vector<double> two(2), three(3);
  const QuadraticView good{.curvature = {h.data(), 2, 4}, .target = {h.data(), 2, 4}, .problem = problem};
  QuadraticView narrow = good, few = good;
  narrow.target.cols = 3;
  few.target.rows = 1;
  const MatrixView<const float> x{h.data(), 2, 4};
  const std::span<const double> ones = std::span(u).first(2);
  const std::vector<int> first = {0}, both = {0, 1}, beyond = {0, 2}, negative = {-1, 0};
  const auto check = [](const QuadraticLoss& at) { check_quadratic_loss_shapes(at); };
  EXPECT_NO_THROW(check({good, x, ones, both, two}));
  EXPECT_THROW(check({narrow, x, ones, both, two}), std::invalid_argument);
  EXPECT_THROW(check({few, x, ones, both, two}), std::invalid_argument);
  EXPECT_THROW(check({good, {h.data(), 3, 4}, u, both, two}), std::invalid_argument);
  EXPECT_THROW(check({good, x, u, both, two}), std::invalid_argument);
  EXPECT_THROW(check({good, x, ones, first, two}), std::invalid_argument);
  EXPECT_THROW(check({good, x, ones, beyond, two}), std::invalid_argument);
  EXPECT_THROW(check({good, x, ones, negative, two}), std::invalid_argument);
  EXPECT_NO_THROW(check_quadratic_loss_at_shapes(good, point, 0, two));
  EXPECT_THROW(check_quadratic_loss_at_shapes(good, point, 1, two), std::invalid_argument);
  EXPECT_THROW(check_quadratic_loss_at_shapes(good, point, -1, two), std::invalid_argument);
  EXPECT_THROW(check_quadratic_loss_at_shapes(good, std::span(point).first(3), 0, two), std::invalid_argument);
  std::vector<float> gradient(8);
  EXPECT_NO_THROW(check_quadratic_gradient_shapes({good, x, ones, {gradient.data(), 2, 4}, two}));
  EXPECT_THROW(check_quadratic_gradient_shapes({good, x, ones, {gradient.data(), 2, 3}, two}), std::invalid_argument);
  EXPECT_THROW(check_quadratic_gradient_shapes({good, x, ones, {gradient.data(), 1, 4}, two}), std::invalid_argument);
  EXPECT_THROW(check_quadratic_gradient_shapes({good, x, ones, {gradient.data(), 2, 4}, three}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
