#include "kernels/mixing/mean_rows.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/random_values.h"

namespace sparsepush {
namespace {

template <class Backend>
class MeanRowsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(MeanRowsOn, Backends);

TYPED_TEST(MeanRowsOn, GivesEveryNodeTheMeanOfItsReplica) {
  std::mt19937 generator(4);
  struct Shape {
    int replicas, nodes, row;
  };
  for (const Shape& s : {Shape{1, 1, 4}, {1, 5, 257}, {3, 4, 20}, {2, 33, 1028}, {5, 2, 2049}, {1, 3, 0}}) {
    const int rows = s.replicas * s.nodes;
    std::vector<float> x = random_values(static_cast<std::size_t>(rows) * s.row, generator), wanted(x.size());
    for (std::size_t i = 0; i < x.size(); i += 7) x[i] *= 1e8f;  // so that the order of the sum shows
    std::vector<double> u(rows);
    for (int i = 0; i < rows; ++i) u[i] = 0.5 + 0.1 * (i % 11);
    for (int r = 0; r < s.replicas; ++r) {
      for (int c = 0; c < s.row; ++c) {
        double sum = 0, weight = 0;
        for (int i = r * s.nodes; i < (r + 1) * s.nodes; ++i) sum += x[i * s.row + c], weight += u[i];
        for (int i = r * s.nodes; i < (r + 1) * s.nodes; ++i) wanted[i * s.row + c] = static_cast<float>(sum / weight);
      }
    }
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Buffer<TypeParam, float> there(backend, rows, s.row, x);
      const Buffer<TypeParam, double> weights(backend, u);
      mean_rows(backend, {.x = there.view(), .u = weights.span(), .replicas = s.replicas});
      EXPECT_EQ(there.to_host(), wanted) << s.replicas << " x " << s.nodes << " x " << s.row;
    });
  }
}

TYPED_TEST(MeanRowsOn, LeavesReplicasThatAreNotDueAsTheyAre) {
  std::mt19937 generator(6);
  constexpr int kNodes = 3, kRow = 1032;
  const std::vector<float> x = random_values(3 * kNodes * kRow, generator);
  std::vector<float> wanted = x;
  for (int c = 0; c < kRow; ++c) {
    double sum = 0;
    for (int i = kNodes; i < 2 * kNodes; ++i) sum += x[i * kRow + c];
    for (int i = kNodes; i < 2 * kNodes; ++i) wanted[i * kRow + c] = static_cast<float>(sum / kNodes);
  }
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, float> there(backend, 3 * kNodes, kRow, x);
    const Buffer<TypeParam, double> weights(backend, std::vector<double>(3 * kNodes, 1.0));
    const Buffer<TypeParam, std::int32_t> due(backend, std::vector<std::int32_t>{0, 1, 0});
    mean_rows(backend, {.x = there.view(), .u = weights.span(), .replicas = 3, .due = due.span()});
    EXPECT_EQ(there.to_host(), wanted);
  });
}

TEST(MeanRows, RefusesRowsThatReplicasCannotShareAndOtherWeights) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> x(cpu, 3, 4);
  const std::vector<double> two(2, 1), three(3, 1);
  EXPECT_THROW(mean_rows(cpu, {.x = x.view(), .u = three, .replicas = 2}), std::invalid_argument);
  EXPECT_THROW(mean_rows(cpu, {.x = x.view(), .u = three, .replicas = 0}), std::invalid_argument);
  EXPECT_THROW(mean_rows(cpu, {.x = x.view(), .u = two, .replicas = 1}), std::invalid_argument);
  const std::vector<std::int32_t> due(2);
  EXPECT_THROW(mean_rows(cpu, {.x = x.view(), .u = three, .replicas = 1, .due = due}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
