#include "kernels/mixing/difference_mix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/mixing/mixing_round.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

/// Element by element, in the order of the definition; q: [slots, row].
std::vector<float> expected_differences(const std::vector<float>& q, int row, const Round& round) {
  std::vector<float> sums;
  for (std::size_t node = 0; node + 1 < round.begin.size(); ++node)
    for (int c = 0; c < row; ++c) {
      float sum = 0;
      for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e)
        sum = std::fma(round.weight[e], q[static_cast<std::size_t>(round.slot[e]) * row + c] - q[node * row + c], sum);
      sums.push_back(sum);
    }
  return sums;
}

/// Mixes interior nodes, while nothing of other shards is there, and then the others.
template <class Backend>
void mix_in_two(const Backend& backend, const DifferenceMix& mix, const Round& round,
                const Buffer<Backend, float>& sum) {
  const std::vector<float> before = sum.to_host();
  DifferenceMix interior = mix;
  std::vector<float> local(mix.q.size(), std::numeric_limits<float>::quiet_NaN());
  copy(backend, local.data(), mix.q.data, sizeof(float) * round.nodes() * mix.q.cols);
  const Buffer<Backend, float> without_halo(backend, mix.q.rows, mix.q.cols, local);
  interior.q = without_halo.view().rows_from(0, round.nodes());
  interior.mixed = MixedNodes::kInterior;
  difference_mix(backend, interior);
  const std::vector<float> first = sum.to_host();
  DifferenceMix boundary = mix;
  boundary.mixed = MixedNodes::kBoundary;
  difference_mix(backend, boundary);
  EXPECT_TRUE(same_values(of_interior(before, sum.to_host(), mix.sum.cols, round), first));
}

template <class Backend>
void expect_definition(int nodes, int halo, int row, const Round& round, std::mt19937& generator) {
  const std::vector<float> q = random_values(static_cast<std::size_t>(nodes + halo) * row, generator);
  const std::vector<float> wanted = expected_differences(q, row, round);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const Buffer<Backend, float> there(backend, nodes + halo, row, q);
    const Buffer<Backend, float> sum(backend, nodes, row, random_values(wanted.size(), generator));
    const RoundOn<Backend> edges(backend, round);
    const DifferenceMix mix{.sum = sum.view(), .q = there.view(), .edges = edges.edges()};
    if (round.is_boundary.empty()) {
      difference_mix(backend, mix);
    } else {
      mix_in_two(backend, mix, round, sum);
    }
    EXPECT_TRUE(same_values(sum.to_host(), wanted)) << nodes << " nodes, halo " << halo << ", row " << row;
    EXPECT_EQ(there.to_host(), q);
  });
}

template <class Backend>
class DifferenceMixOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(DifferenceMixOn, Backends);

/// Sizes around vectors, blocks and the tiles of the Cpu.
TYPED_TEST(DifferenceMixOn, AddsUpWeightedDifferencesOverEdgesInOrder) {
  std::mt19937 generator(3);
  struct Shape {
    int nodes, halo, row;
  };
  for (const Shape& shape :
       {Shape{1, 0, 4}, {3, 2, 20}, {5, 0, 16}, {4, 3, 36}, {2, 1, 4100}, {40, 3, 520}, {1, 1700, 44}}) {
    const Round round = random_round(shape.nodes, shape.nodes + shape.halo, generator);
    expect_definition<TypeParam>(shape.nodes, shape.halo, shape.row, round, generator);
  }
}

TYPED_TEST(DifferenceMixOn, GivesNothingToNodesThatHearNobody) {
  std::mt19937 generator(5);
  expect_definition<TypeParam>(
      3, 0, 28,
      {.begin = {0, 0, 1, 3}, .slot = {2, 0, 1}, .weight = {0.5f, 0.25f, 1.0f}, .self_weight = {-0.25f, -1, -0.5f}},
      generator);
}

TYPED_TEST(DifferenceMixOn, MixesInteriorNodesBeforeTheOthers) {
  std::mt19937 generator(6);
  for (const int nodes : {1, 2, 9, 40})
    for (const int row : {4, 36, 4100}) {
      const Round round = random_parted_round(nodes, nodes + 5, generator);
      expect_definition<TypeParam>(nodes, 5, row, round, generator);
    }
}

TEST(DifferenceMix, RefusesRowsThatAreNoQuadsOrFewOrOfAnotherWidthOrTheSameAndEdgesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> sum(cpu, 1, 8), x(cpu, 1, 8), narrow(cpu, 1, 4), odd(cpu, 1, 6), other_odd(cpu, 1, 6);
  const std::vector<std::int64_t> begin = {0, 0}, one = {0, 1};
  const std::vector<float> self = {0};
  const std::vector<std::int32_t> slot = {1};
  const RoundEdges edges{begin, {}, {}, self};
  EXPECT_NO_THROW(difference_mix(cpu, {.sum = sum.view(), .q = x.view(), .edges = edges}));
  EXPECT_THROW(difference_mix(cpu, {.sum = odd.view(), .q = other_odd.view(), .edges = edges}), std::invalid_argument);
  for (const MatrixView<float>& q : {narrow.view(), MatrixView<float>{x.view().data, 0, 8}, sum.view()})
    EXPECT_THROW(difference_mix(cpu, {.sum = sum.view(), .q = q, .edges = edges}), std::invalid_argument);
  for (const RoundEdges& bad : {RoundEdges{begin, {}, {}, {}}, RoundEdges{one, slot, self, self}})
    EXPECT_THROW(difference_mix(cpu, {.sum = sum.view(), .q = x.view(), .edges = bad}), std::invalid_argument);
  DifferenceMix some{.sum = sum.view(), .q = x.view(), .edges = {one, slot, self, self}};
  some.mixed = MixedNodes::kBoundary;
  EXPECT_THROW(difference_mix(cpu, some), std::invalid_argument) << "which ones are boundary nodes is not said";
  const std::vector<std::uint8_t> is_boundary = {1}, is_interior = {0};
  some.edges.is_boundary = is_interior;
  EXPECT_NO_THROW(difference_mix(cpu, some)) << "nobody is mixed who hears slot 1";
  some.edges.is_boundary = is_boundary;
  EXPECT_THROW(difference_mix(cpu, some), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
