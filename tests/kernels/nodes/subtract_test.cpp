#include "kernels/nodes/subtract.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

template <class Backend>
class SubtractOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(SubtractOn, Backends);

/// One quad, sizes around blocks and the tiles of the Cpu, and none at all; special values among them.
TYPED_TEST(SubtractOn, IsElementByElement) {
  std::mt19937 generator(1);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& [rows, columns] : {std::pair{1, 4}, {3, 20}, {5, 1024}, {1, 40004}, {40, 2052}, {0, 8}}) {
    const auto size = static_cast<std::size_t>(rows) * columns;
    std::vector<float> a = random_values(size, generator), b = random_values(size, generator), wanted(size);
    if (size > 3) a[0] = kInfinity, a[1] = b[1] = kInfinity, a[2] = b[2] = -0.0f, b[3] = 1e-45f, a[3] = 0;
    for (std::size_t i = 0; i < size; ++i) wanted[i] = a[i] - b[i];
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Buffer<TypeParam, float> there_a(backend, rows, columns, a), there_b(backend, rows, columns, b);
      const Buffer<TypeParam, float> difference(backend, rows, columns);
      subtract(backend, there_a.view(), there_b.view(), difference.view());
      EXPECT_TRUE(same_values(difference.to_host(), wanted)) << rows << " x " << columns;
    });
  }
}

TEST(Subtract, RefusesArraysOfOtherShapesAndRowsThatAreNoQuads) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> a(cpu, 2, 8), fewer(cpu, 1, 8), narrower(cpu, 2, 4), odd(cpu, 2, 6);
  EXPECT_THROW(subtract(cpu, a.view(), fewer.view(), a.view()), std::invalid_argument);
  EXPECT_THROW(subtract(cpu, narrower.view(), a.view(), a.view()), std::invalid_argument);
  EXPECT_THROW(subtract(cpu, odd.view(), odd.view(), odd.view()), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
