#include "kernels/mixing/flag_due.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/random_values.h"

namespace sparsepush {
namespace {

template <class Backend>
class FlagDueOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(FlagDueOn, Backends);

template <class Backend>
struct Flags {
  std::vector<std::int32_t> due;
  std::vector<std::int64_t> syncs;

  Flags(const Backend& backend, const std::vector<float>& drift, const std::vector<VarianceLimit>& limits,
        const std::vector<std::int64_t>& before) {
    const Buffer<Backend, float> there(backend, static_cast<int>(drift.size() / 2), 2, drift);
    const Buffer<Backend, VarianceLimit> limit(backend, limits);
    const Buffer<Backend, std::int32_t> flags(backend, std::vector<std::int32_t>(limits.size(), 7));
    const Buffer<Backend, std::int64_t> counts(backend, before);
    flag_due(backend, {.drift = there.view(), .limit = limit.span(), .due = flags.span(), .syncs = counts.span()});
    due = flags.to_host();
    syncs = counts.to_host();
  }
};

/// Thresholds on the bound itself, which it does not exceed, and just below: every bit of the sums counts.
TYPED_TEST(FlagDueOn, ComparesTheBoundInEveryBit) {
  std::mt19937 generator(5);
  for (const auto& [replicas, nodes] : {std::pair{1, 1}, {5, 2}, {2, 33}, {3, 512}, {1, 513}, {2, 1100}}) {
    std::vector<float> drift = random_values(2 * static_cast<std::size_t>(replicas) * nodes, generator);
    for (std::size_t i = 0; i < drift.size(); i += 3) drift[i] *= 1e6f;
    std::vector<VarianceLimit> at, below;
    for (int r = 0; r < replicas; ++r) {
      double squares = 0, along = 0;
      for (int i = r * nodes; i < (r + 1) * nodes; ++i) squares += drift[2 * i], along += drift[2 * i + 1];
      const double mean = squares / nodes, mean_along = along / nodes;
      const bool linear = r % 2 == 0;
      const double bound = linear ? mean - mean_along * mean_along : mean;
      at.push_back({bound, linear});
      below.push_back({std::nextafter(bound, -std::numeric_limits<double>::infinity()), linear});
    }
    const std::vector<std::int64_t> before(replicas, std::int64_t{1} << 40),
        after(replicas, (std::int64_t{1} << 40) + 1);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Flags<TypeParam> none(backend, drift, at, before), all(backend, drift, below, before);
      EXPECT_EQ(none.due, std::vector<std::int32_t>(replicas, 0)) << replicas << " x " << nodes;
      EXPECT_EQ(none.syncs, before);
      EXPECT_EQ(all.due, std::vector<std::int32_t>(replicas, 1)) << replicas << " x " << nodes;
      EXPECT_EQ(all.syncs, after);
    });
  }
}

TYPED_TEST(FlagDueOn, EveryReplicaHasItsOwnNodesAndLimit) {
  const std::vector<float> drift = {4, 1, 6, 3, 1, 0, 1, 0, 9, 3, 9, 3};  // bounds 5 - 4, 1 - 0, 9 - 9
  const std::vector<VarianceLimit> limits = {{0.5, true}, {2, true}, {0, true}},
                                   naive = {{4, false}, {0, false}, {9, false}};
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    EXPECT_EQ(Flags<TypeParam>(backend, drift, limits, {0, 0, 0}).due, (std::vector<std::int32_t>{1, 0, 0}));
    EXPECT_EQ(Flags<TypeParam>(backend, drift, naive, {3, 4, 5}).syncs, (std::vector<std::int64_t>{4, 5, 5}));
  });
}

TYPED_TEST(FlagDueOn, NanExceedsNothing) {
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    EXPECT_EQ(Flags<TypeParam>(backend, {std::nanf(""), 0}, {{0, true}}, {0}).due, std::vector<std::int32_t>{0});
    EXPECT_EQ(Flags<TypeParam>(backend, {3e38f, 3e38f}, {{0, false}}, {0}).due, std::vector<std::int32_t>{1});
  });
}

TEST(FlagDue, RefusesListsOfAnotherLength) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> drift(cpu, 4, 2), wide(cpu, 4, 4), odd(cpu, 3, 2);
  const std::vector<VarianceLimit> two(2), one(1);
  std::vector<std::int32_t> due(2), no_due;
  std::vector<std::int64_t> syncs(2), one_sync(1);
  EXPECT_NO_THROW(flag_due(cpu, {drift.view(), two, due, syncs}));
  EXPECT_THROW(flag_due(cpu, {wide.view(), two, due, syncs}), std::invalid_argument);
  EXPECT_THROW(flag_due(cpu, {odd.view(), two, due, syncs}), std::invalid_argument);
  EXPECT_THROW(flag_due(cpu, {drift.view(), one, due, syncs}), std::invalid_argument);
  EXPECT_THROW(flag_due(cpu, {drift.view(), two, due, one_sync}), std::invalid_argument);
  EXPECT_THROW(flag_due(cpu, {drift.view(), {}, no_due, {}}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
