#include "kernels/dense_mix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/buffer.h"
#include "tests/backends.h"
#include "tests/mixing_round.h"

namespace sparsepush {
namespace {

template <class Backend>
std::vector<float> densely_mixed(const Backend& backend, const std::vector<float>& x, const std::vector<float>& halo,
                                 int row, const Round& round) {
  const Buffer<Backend, float> state(backend, static_cast<int>(x.size()) / row, row, x);
  const Buffer<Backend, float> remote(backend, static_cast<int>(halo.size()) / row, row, halo);
  const RoundOn<Backend> round_there(backend, round);
  dense_mix(backend, {.x = state.view(), .halo = remote.view(), .edges = round_there.edges()});
  return state.to_host();
}

template <class Backend>
void expect_definition(int nodes, int halo_rows, int row, const Round& round, std::mt19937& generator) {
  const std::vector<float> x = random_values(static_cast<std::size_t>(nodes) * row, generator);
  const std::vector<float> halo = random_values(static_cast<std::size_t>(halo_rows) * row, generator);
  std::vector<float> all = x;
  all.insert(all.end(), halo.begin(), halo.end());
  const std::vector<float> wanted = expected_mix(all, row, round);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    EXPECT_EQ(densely_mixed(backend, x, halo, row, round), wanted)
        << nodes << " nodes, halo " << halo_rows << ", row " << row;
  });
}

template <class Backend>
class DenseMixOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(DenseMixOn, Backends);

/// Sizes around panels and vectors, enough slots that a panel is one line wide, and more than shared memory of a GPU
/// holds, in several panels.
TYPED_TEST(DenseMixOn, MixesRowsAsTheyWereBeforeTheRound) {
  std::mt19937 generator(3);
  struct Shape {
    int nodes, halo, row;
  };
  for (const Shape& shape : {Shape{1, 0, 4},
                             {3, 2, 20},
                             {5, 0, 16},
                             {4, 3, 36},
                             {2, 1, 40004},
                             {300, 40, 520},
                             {1, 1700, 44},
                             {1, 7300, 4},
                             {40, 7300, 20}}) {
    const Round round = random_round(shape.nodes, shape.nodes + shape.halo, generator);
    expect_definition<TypeParam>(shape.nodes, shape.halo, shape.row, round, generator);
  }
}

TYPED_TEST(DenseMixOn, MixesNodesThatHearNobodyOneOrEverybody) {
  std::mt19937 generator(5);
  for (const int row : {4, 28, 32, 36, 100, 512, 516}) {
    for (const int halo : {0, 3}) {
      const int nodes = 3, slots = nodes + halo;
      const Round round{.begin = {0, 0, 1, slots},
                        .slot = halo == 0 ? std::vector{2, 0, 1} : std::vector{5, 0, 1, 3, 4, 5},
                        .weight = random_values(slots, generator),
                        .self_weight = {-0.5f, 0, -0.25f}};
      expect_definition<TypeParam>(nodes, halo, row, round, generator);
    }
  }
}

TEST(DenseMix, KeepsTheSumOverNodesOnTheWeightGrid) {
  std::mt19937 generator(4);
  const int nodes = 8, row = 100;
  Round ring;
  for (int node = 0; node < nodes; ++node) {
    ring.slot.push_back((node + nodes - 1) % nodes);
    ring.weight.push_back(0.5f);
    ring.self_weight.push_back(-0.5f);
    ring.begin.push_back(node + 1);
  }
  const std::vector<float> x = random_values(nodes * row, generator);
  const std::vector<float> after = densely_mixed(tested_cpu(1), x, {}, row, ring);
  for (int c = 0; c < row; ++c) {
    double before_sum = 0, after_sum = 0, magnitude = 0;
    for (int node = 0; node < nodes; ++node) {
      before_sum += x[node * row + c];
      after_sum += after[node * row + c];
      magnitude += 2 * std::fabs(x[node * row + c]);
    }
    EXPECT_NEAR(after_sum, before_sum, 2 * 0x1p-24 * magnitude);
  }
}

TEST(DenseMix, RefusesRowsThatAreNoQuadsAHaloOfAnotherWidthAndEdgesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> x(cpu, 1, 8), halo(cpu, 1, 4), odd(cpu, 1, 6);
  const std::vector<std::int64_t> begin = {0, 0};
  const std::vector<float> self = {0};
  EXPECT_THROW(dense_mix(cpu, {.x = odd.view(), .halo = {}, .edges = {begin, {}, {}, self}}), std::invalid_argument);
  EXPECT_THROW(dense_mix(cpu, {.x = x.view(), .halo = halo.view(), .edges = {begin, {}, {}, self}}),
               std::invalid_argument);
  EXPECT_THROW(dense_mix(cpu, {.x = x.view(), .halo = {}, .edges = {begin, {}, {}, {}}}), std::invalid_argument);
  const std::vector<std::int64_t> one = {0, 1};
  const std::vector<std::int32_t> slot = {1};
  EXPECT_THROW(dense_mix(cpu, {.x = x.view(), .halo = {}, .edges = {one, slot, self, self}}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
