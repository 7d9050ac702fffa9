#include "models/objective_task.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

/// Two tensors, whose row of 12 elements holds 4 of padding; in step t the loss is 1/2 |z|^2 + node z_4 + t z_7.
ObjectiveTask make_task() {
  return {"bowl",
          {{"a", {3}}, {"b", {5}}},
          {1, 2, 3, 4, 5, 6, 7, 8},
          [](int node, std::int64_t step, std::span<const float> z, std::span<float> gradient) {
            double loss = 0;
            for (std::size_t j = 0; j < z.size(); ++j) {
              gradient[j] = z[j];
              loss += 0.5 * z[j] * z[j];
            }
            gradient[4] += static_cast<float>(node);
            gradient[7] += static_cast<float>(step);
            return loss + node * z[4] + static_cast<double>(step) * z[7];
          }};
}

constexpr Shard kShard{.index = 1, .shards = 2, .replicas = 2, .all_nodes = 4};  // nodes 2 and 3, twice

TEST(ObjectiveTask, StartsEveryNodeAtTheGivenParameters) {
  std::vector<float> row(12);
  make_task().initialize(7, 2, row.data());
  EXPECT_EQ(row, (std::vector<float>{1, 2, 3, 0, 4, 5, 6, 7, 8, 0, 0, 0}));
  EXPECT_EQ(make_task().identity(), "bowl");
}

TEST(ObjectiveTask, RefusesAStartOfAnotherSize) {
  EXPECT_THROW(ObjectiveTask("short", {{"a", {3}}}, {1, 2}, {}), std::invalid_argument);
}

template <class Backend>
class ObjectiveTaskOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(ObjectiveTaskOn, Backends);

TYPED_TEST(ObjectiveTaskOn, AsksForEveryNodesGradientAndAddsItsLoss) {
  const ObjectiveTask task = make_task();
  const TypeParam backend = tested_backend<TypeParam>();
  const auto gradients = task.make_gradients(backend, kShard);
  EXPECT_FALSE(gradients->can_be_recorded());
  const Buffer<TypeParam, float> x(backend, 4, 12), gradient(backend, 4, 12);
  Buffer<TypeParam, double> loss(backend, std::vector<double>{100, 0, 0, 0});
  std::vector<float> rows(4 * 12);
  for (int row = 0; row < 4; ++row) rows[row * 12] = static_cast<float>(row + 1);
  copy(backend, x.view().data, rows.data(), rows.size() * sizeof(float));
  gradients->compute(backend, {.at = {.x = x.view(), .u = {}}}, {.gradient = gradient.view(), .loss = loss.span()}, 9);
  std::vector<float> expected = rows;
  for (int row = 0; row < 4; ++row) {
    expected[row * 12 + 5] = static_cast<float>(2 + row % 2);
    expected[row * 12 + 8] = 9;
  }
  EXPECT_EQ(gradient.to_host(), expected);
  EXPECT_EQ(loss.to_host(), (std::vector<double>{100.5, 2, 4.5, 8}));
}

TYPED_TEST(ObjectiveTaskOn, ScoresNodesAndTheMeanModelByTheirOwnObjectives) {
  const ObjectiveTask task = make_task();
  const TypeParam backend = tested_backend<TypeParam>();
  const auto gradients = task.make_gradients(backend, kShard);
  std::vector<float> rows(4 * 12);
  rows[3 * 12 + 5] = 2;  // z_4 of the last row
  const Buffer<TypeParam, float> x(backend, 4, 12, rows);
  std::vector<double> score(2);
  gradients->score_nodes(backend, {.x = x.view(), .u = {}}, std::vector{1, 3}, {score.data(), 2, 1});
  EXPECT_EQ(score, (std::vector<double>{0, 2 + 3 * 2})) << "less nothing in step -1, as z_7 is 0";
  std::vector<double> mean(12);
  mean[5] = 1;
  gradients->score_mean(backend, {.z = mean, .statistics = {}}, 0, {score.data(), 2, 1});
  EXPECT_EQ(score, (std::vector<double>{0.5 + 2, 0.5 + 3}));
  EXPECT_THROW(gradients->score_nodes(backend, {.x = x.view(), .u = std::vector<double>(4, 1)}, std::vector{0},
                                      {score.data(), 1, 1}),
               std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
