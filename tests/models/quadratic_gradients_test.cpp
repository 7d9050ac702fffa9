#include "models/quadratic_gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/nodes/row_layout.h"
#include "tests/models/scores.h"
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
      : cpu(tested_cpu(threads)), identity(std::move(identities)), gradients(cpu, problem, identity) {
    nodes = static_cast<int>(identity.size());
    x = some_parameters(layout, nodes);
    for (int i = 0; i < nodes; ++i) u.push_back(i == 0 ? 1.0 : 0.3 + 0.7 * i);
  }
  void compute(std::vector<float>& gradient, std::vector<double>& loss) {
    gradients.compute(cpu, {.at = at(), .step = &step}, {{gradient.data(), nodes, at().x.cols}, loss}, step);
  }
  NodeParameters at() const { return {.x = {x.data(), nodes, static_cast<int>(layout.row)}, .u = u}; }

  Cpu cpu;
  QuadraticProblem problem = problem_of_four();
  RowLayout layout = make_row_layout(problem.segments);
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
  pack_row(f.layout, f.x.data() + i * f.layout.row, z.data());
  const float r = static_cast<float>(1.0 / f.u[i]);
  for (float& value : z) value *= r;
  return z;
}

TEST(QuadraticGradients, AreTheContractBitForBit) {
  for (int threads : {1, 2}) {
    Fixture f(threads);
    const RowLayout& layout = f.layout;
    std::vector<float> gradient(f.x.size(), 0.f);
    std::vector<double> loss(f.nodes, 10.0);
    f.compute(gradient, loss);
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
  Scores score(2, 1);
  f.gradients.score_nodes(f.cpu, f.at(), nodes, score.view());
  for (int i = 0; i < 2; ++i) {
    const std::vector<float> z = naive_z(f, nodes[i]);
    EXPECT_EQ(score.loss(i), naive_loss(f.problem, f.identity[nodes[i]], {z.begin(), z.end()}));
  }
}

TEST(QuadraticGradients, ScoreTheMeanWithoutRoundingItToFloat) {
  Fixture f(2);
  const RowLayout& layout = f.layout;
  std::vector<double> packed(layout.params), mean(layout.row);
  for (int j = 0; j < layout.params; ++j) packed[j] = 0.5 + 1e-9 * j;
  for (const Segment& s : layout.segments) std::copy_n(packed.data() + s.packed_begin, s.size, mean.data() + s.begin);
  Scores score(2, 1);
  f.gradients.score_mean(f.cpu, {.z = mean, .statistics = {}}, 2, score.view());
  EXPECT_EQ(score.loss(0), naive_loss(f.problem, 1, packed));
  EXPECT_EQ(score.loss(1), naive_loss(f.problem, 2, packed));
}

TEST(QuadraticGradients, AreTakenAtXWhereThereIsNoU) {
  Fixture f(2);
  f.u.assign(f.nodes, 1.0);
  std::vector<float> gradient(f.x.size()), at_z(f.x.size());
  std::vector<double> loss(f.nodes), loss_at_z(f.nodes);
  f.compute(gradient, loss);
  f.u.clear();
  f.compute(at_z, loss_at_z);
  EXPECT_EQ(at_z, gradient);
  EXPECT_EQ(loss_at_z, loss);
  Scores score(1, 1);
  f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{3}, score.view());
  EXPECT_EQ(score.loss(0), loss[3]);
}

TEST(QuadraticGradients, LetNotANumberThrough) {
  Fixture f(1);
  f.x[0] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> gradient(f.x.size());
  std::vector<double> loss(f.nodes);
  f.compute(gradient, loss);
  EXPECT_TRUE(std::isnan(gradient[0]) && std::isnan(loss[0]));
  EXPECT_FALSE(std::isnan(loss[1]));
}

TEST(QuadraticGradients, RefuseWhatDoesNotFit) {
  Fixture f(1);
  EXPECT_THROW(Fixture(1, {4}), std::invalid_argument);
  EXPECT_THROW(Fixture(1, {}), std::invalid_argument);
  f.problem.segments = {1, 5};
  EXPECT_THROW(QuadraticGradients<Cpu>(f.cpu, f.problem, std::vector<std::int32_t>{0}), std::invalid_argument);
  std::vector<float> gradient(f.x.size());
  std::vector<double> loss(f.nodes - 1);
  EXPECT_THROW(f.compute(gradient, loss), std::invalid_argument);
  Scores one(1, 1), with_accuracy(1);
  const MatrixView<double> score = one.view();
  EXPECT_THROW(f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{0}, with_accuracy.view()),
               std::invalid_argument);
  EXPECT_THROW(f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{4}, score), std::invalid_argument);
  const std::vector<double> mean(f.at().x.cols);
  EXPECT_THROW(f.gradients.score_mean(f.cpu, {.z = mean, .statistics = {}}, 4, score), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
