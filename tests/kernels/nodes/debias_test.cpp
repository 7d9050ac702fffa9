#include "kernels/nodes/debias.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/random_values.h"

namespace sparsepush {
namespace {

template <class Backend>
class DebiasOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(DebiasOn, Backends);

TYPED_TEST(DebiasOn, MultipliesEveryRowByItsFactor) {
  std::mt19937 generator(2);
  for (const auto& [rows, columns] : {std::pair{1, 4}, {3, 20}, {33, 1028}, {700, 8}, {0, 8}}) {
    const std::vector<float> x = random_values(static_cast<std::size_t>(rows) * columns, generator);
    std::vector<double> u(rows);
    for (int i = 0; i < rows; ++i) u[i] = 0.3 + 0.7 * i;
    std::vector<float> wanted(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) wanted[i] = x[i] * static_cast<float>(1.0 / u[i / columns]);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Buffer<TypeParam, float> there(backend, rows, columns, x), z(backend, rows, columns);
      const Buffer<TypeParam, double> weights(backend, u);
      debias(backend, there.view(), weights.span(), z.view());
      EXPECT_EQ(z.to_host(), wanted) << rows << " x " << columns;
    });
  }
}

TEST(Debias, RefusesArraysOfOtherShapesAndRowsThatAreNoQuads) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> x(cpu, 2, 8), fewer(cpu, 1, 8), odd(cpu, 2, 6);
  const std::vector<double> one(1, 1), two(2, 1);
  EXPECT_THROW(debias(cpu, x.view(), one, x.view()), std::invalid_argument);
  EXPECT_THROW(debias(cpu, x.view(), two, fewer.view()), std::invalid_argument);
  EXPECT_THROW(debias(cpu, odd.view(), two, odd.view()), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
