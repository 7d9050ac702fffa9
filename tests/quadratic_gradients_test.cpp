#include "models/quadratic_gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

/// Four nodes, 40 parameters in segments of 1, 5 and 34, so that rows have padding.
QuadraticProblem problem_of_four() {
  QuadraticProblem p;
  p.nodes = 4;
  p.params = 40;
  p.segments = {1, 5, 34};
  for (int i = 0; i < 4 * 40; ++i) {
    p.curvature.push_back(0.1f * static_cast<float>((i * 7) % 23));
    p.target.push_back(0.3f * static_cast<float>((i * 5) % 17 - 8));
    p.start.push_back(static_cast<float>(i) / 7);
  }
  p.start_per_node = true;
  return p;
}

/// Rows of [nodes, row] with every parameter drawn by a formula and padding 0.
std::vector<float> some_parameters(const RowLayout& layout, int nodes) {
  std::vector<float> x(nodes * layout.row), packed(layout.params);
  for (int i = 0; i < nodes; ++i) {
    for (int j = 0; j < layout.params; ++j) packed[j] = std::sin(static_cast<float>(i * 100 + j));
    unpack_row(layout, packed.data(), x.data() + i * layout.row);
  }
  return x;
}

struct Fixture {
  explicit Fixture(int threads, std::vector<std::int32_t> identities = {1, 2, 1, 2})
      : cpu(threads), identity(std::move(identities)), gradients(cpu, problem, identity) {
    nodes = static_cast<int>(identity.size());
    x = some_parameters(gradients.layout(), nodes);
    for (int i = 0; i < nodes; ++i) u.push_back(i == 0 ? 1.0 : 0.3 + 0.7 * i);
  }
  NodeParameters at() const { return {.x = {x.data(), nodes, static_cast<int>(gradients.layout().row)}, .u = u}; }

  Cpu cpu = tested_cpu();
  QuadraticProblem problem = problem_of_four();
  std::vector<std::int32_t> identity;
  QuadraticGradients<Cpu> gradients;
  std::int64_t step = 3;  // which changes nothing
  int nodes = 0;
  std::vector<float> x;
  std::vector<double> u;
};

/// f_k at `z` [params] as it is written in the contract.
double naive_loss(const QuadraticProblem& p, int k, const std::vector<double>& z) {
  double sum = 0;
  for (int j = 0; j < p.params; ++j) {
    const double d = z[j] - p.target[k * p.params + j];
    sum += p.curvature[k * p.params + j] * (d * d);
  }
  return sum / 2;
}

/// z of local node i, unpadded.
std::vector<float> naive_z(const Fixture& f, int i) {
  std::vector<float> z(f.problem.params);
  pack_row(f.gradients.layout(), f.x.data() + i * f.gradients.layout().row, z.data());
  const float r = static_cast<float>(1.0 / f.u[i]);
  for (float& value : z) value *= r;
  return z;
}

TEST(QuadraticGradients, AreTheContractBitForBit) {
  for (int threads : {1, 2}) {
    Fixture f(threads);
    const RowLayout& layout = f.gradients.layout();
    std::vector<float> gradient(f.x.size(), 0.f);
    std::vector<double> loss(f.nodes, 10.0);
    f.gradients.compute(f.cpu, f.at(), &f.step, {gradient.data(), f.nodes, static_cast<int>(layout.row)}, loss);
    for (int i = 0; i < f.nodes; ++i) {
      const std::vector<float> z = naive_z(f, i);
      std::vector<float> g(layout.params);
      pack_row(layout, gradient.data() + i * layout.row, g.data());
      const int k = f.identity[i];
      for (int j = 0; j < layout.params; ++j) {
        const float difference = z[j] - f.problem.target[k * layout.params + j];
        EXPECT_EQ(g[j], f.problem.curvature[k * layout.params + j] * difference) << "node " << i << ", " << j;
      }
      EXPECT_EQ(loss[i], 10.0 + naive_loss(f.problem, k, {z.begin(), z.end()}));
      std::vector<float> without_padding(layout.row, 0.f);
      unpack_row(layout, g.data(), without_padding.data());
      for (int j = 0; j < layout.row; ++j)
        EXPECT_EQ(gradient[i * layout.row + j], without_padding[j]) << "padding " << j;
    }
  }
}

TEST(QuadraticGradients, ScoreNodesOnTheirOwnObjectives) {
  Fixture f(2);
  const std::vector<int> nodes = {3, 0};
  std::vector<Score> score(2);
  f.gradients.score_nodes(f.cpu, f.at(), nodes, score);
  for (int i = 0; i < 2; ++i) {
    const std::vector<float> z = naive_z(f, nodes[i]);
    EXPECT_EQ(score[i].loss, naive_loss(f.problem, f.identity[nodes[i]], {z.begin(), z.end()}));
  }
}

TEST(QuadraticGradients, ScoreTheMeanWithoutRoundingItToFloat) {
  Fixture f(2);
  const RowLayout& layout = f.gradients.layout();
  std::vector<double> packed(layout.params), mean(layout.row);
  for (int j = 0; j < layout.params; ++j) packed[j] = 0.5 + 1e-9 * j;
  for (const Segment& s : layout.segments) std::copy_n(packed.data() + s.packed_begin, s.size, mean.data() + s.begin);
  std::vector<Score> score(2);
  f.gradients.score_mean(f.cpu, {.z = mean, .statistics = {}}, 2, score);
  EXPECT_EQ(score[0].loss, naive_loss(f.problem, 1, packed));
  EXPECT_EQ(score[1].loss, naive_loss(f.problem, 2, packed));
}

TEST(QuadraticGradients, StartWhereTheProblemSays) {
  Fixture f(1);
  std::vector<float> row(f.gradients.layout().row), packed(40);
  f.gradients.initialize(1, row.data());
  pack_row(f.gradients.layout(), row.data(), packed.data());
  EXPECT_EQ(packed, std::vector<float>(f.problem.start.begin() + 80, f.problem.start.begin() + 120));

  f.problem.start.resize(40);
  f.problem.start_per_node = false;
  const QuadraticGradients<Cpu> shared(f.cpu, f.problem, {3});
  shared.initialize(0, row.data());
  pack_row(f.gradients.layout(), row.data(), packed.data());
  EXPECT_EQ(packed, f.problem.start);
}

TEST(QuadraticGradients, NameTheirSegments) {
  Fixture f(1);
  ASSERT_EQ(f.gradients.parameters().size(), 3u);
  EXPECT_EQ(f.gradients.parameters()[2].name, "segment2");
  EXPECT_EQ(f.gradients.parameters()[2].shape, (std::vector<std::int64_t>{34}));
  f.problem.segments = {40};
  EXPECT_EQ(QuadraticGradients<Cpu>(f.cpu, f.problem, {0}).parameters()[0].name, "x");
  EXPECT_FALSE(f.gradients.has_accuracy());
}

TEST(QuadraticGradients, LetNotANumberThrough) {
  Fixture f(1);
  f.x[0] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> gradient(f.x.size());
  std::vector<double> loss(f.nodes);
  f.gradients.compute(f.cpu, f.at(), &f.step, {gradient.data(), f.nodes, f.at().x.cols}, loss);
  EXPECT_TRUE(std::isnan(gradient[0]) && std::isnan(loss[0]));
  EXPECT_FALSE(std::isnan(loss[1]));
}

TEST(QuadraticGradients, RefuseWhatDoesNotFit) {
  Fixture f(1);
  EXPECT_THROW(Fixture(1, {4}), std::invalid_argument);
  EXPECT_THROW(Fixture(1, {}), std::invalid_argument);
  f.problem.segments = {1, 5};
  EXPECT_THROW(QuadraticGradients<Cpu>(f.cpu, f.problem, {0}), std::invalid_argument);
  std::vector<float> gradient(f.x.size());
  std::vector<double> loss(f.nodes - 1);
  EXPECT_THROW(f.gradients.compute(f.cpu, f.at(), &f.step, {gradient.data(), f.nodes, f.at().x.cols}, loss),
               std::invalid_argument);
  std::vector<Score> score(1);
  EXPECT_THROW(f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{4}, score), std::invalid_argument);
  const std::vector<double> mean(f.at().x.cols);
  EXPECT_THROW(f.gradients.score_mean(f.cpu, {.z = mean, .statistics = {}}, 4, score), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
