#include "kernels/mixing/dense_mix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/kernels/mixing/mixing_round.h"
#include "tests/random_values.h"

namespace sparsepush {
namespace {

template <class Backend>
Buffer<Backend, float> workspace_for(const Backend& backend, const MatrixView<float>& slots) {
  return {backend, 1, static_cast<int>(dense_mix_workspace(slots.rows, slots.cols))};
}

/// The nodes' rows after x was mixed with itself; slots: [slots, row], the nodes' first.
template <class Backend>
std::vector<float> mixed_with_itself(const Backend& backend, const std::vector<float>& slots, int row,
                                     const Round& round) {
  const Buffer<Backend, float> q(backend, static_cast<int>(slots.size()) / row, row, slots);
  const RoundOn<Backend> there(backend, round);
  const int nodes = static_cast<int>(round.self_weight.size());
  const auto workspace = workspace_for(backend, q.view());
  dense_mix(backend,
            {.x = q.view().rows_from(0, nodes), .q = q.view(), .edges = there.edges(), .workspace = workspace.span()});
  std::vector<float> after = q.to_host();
  EXPECT_TRUE(std::equal(after.begin() + nodes * row, after.end(), slots.begin() + nodes * row)) << "halo";
  after.resize(static_cast<std::size_t>(nodes) * row);
  return after;
}

/// The nodes' rows of x after other rows were mixed into them.
template <class Backend>
std::vector<float> mixed_apart(const Backend& backend, const std::vector<float>& x, const std::vector<float>& slots,
                               int row, const Round& round) {
  const Buffer<Backend, float> q(backend, static_cast<int>(slots.size()) / row, row, slots);
  const Buffer<Backend, float> state(backend, static_cast<int>(x.size()) / row, row, x);
  const RoundOn<Backend> there(backend, round);
  const auto workspace = workspace_for(backend, q.view());
  DenseMix mix{.x = state.view(), .q = q.view(), .edges = there.edges(), .workspace = workspace.span()};
  if (round.is_boundary.empty()) {
    dense_mix(backend, mix);
  } else {  // interior nodes while nothing of other shards is there, and then the others
    DenseMix interior = mix;
    interior.q.rows = round.nodes();
    interior.mixed = MixedNodes::kInterior;
    dense_mix(backend, interior);
    const std::vector<float> first = state.to_host();
    mix.mixed = MixedNodes::kBoundary;
    dense_mix(backend, mix);
    EXPECT_EQ(of_interior(x, state.to_host(), row, round), first);
  }
  EXPECT_EQ(q.to_host(), slots);
  return state.to_host();
}

template <class Backend>
void expect_definition(int nodes, int halo_rows, int row, const Round& round, std::mt19937& generator) {
  const std::vector<float> q = random_values(static_cast<std::size_t>(nodes + halo_rows) * row, generator);
  const std::vector<float> x = random_values(static_cast<std::size_t>(nodes) * row, generator);
  const std::vector<float> itself = expected_mix(q, row, round), apart = expected_mix(x, q, row, round);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    EXPECT_EQ(mixed_with_itself(backend, q, row, round), itself)
        << nodes << " nodes, halo " << halo_rows << ", row " << row;
    EXPECT_EQ(mixed_apart(backend, x, q, row, round), apart)
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

/// With panels in shared memory of a GPU, and in its global memory.
TYPED_TEST(DenseMixOn, MixesInteriorNodesBeforeTheOthers) {
  std::mt19937 generator(6);
  for (const auto& [nodes, halo] : {std::pair{1, 2}, {9, 4}, {30, 7300}}) {
    const Round round = random_parted_round(nodes, nodes + halo, generator);
    for (const int row : {4, 36}) expect_definition<TypeParam>(nodes, halo, row, round, generator);
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
  const std::vector<float> after = mixed_with_itself(tested_cpu(1), x, row, ring);
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

TYPED_TEST(DenseMixOn, FitsItsPanelsIntoTheWorkspace) {
  std::mt19937 generator(7);
  constexpr int kNodes = 2, kSlots = 7302, kRow = 100;
  const Round round = random_round(kNodes, kSlots, generator);
  const std::vector<float> q = random_values(kSlots * kRow, generator);
  EXPECT_EQ(dense_mix_workspace(kSlots, kRow), kSlots * 64) << "floats: as many columns as a power of two";
  EXPECT_EQ(dense_mix_workspace(kNodes, kRow), 0) << "shared memory is enough";
  const auto mixed = [&](const TypeParam& backend, int floats) {
    const Buffer<TypeParam, float> there(backend, kSlots, kRow, q), workspace(backend, 1, floats);
    const RoundOn<TypeParam> edges(backend, round);
    dense_mix(backend, {.x = there.view().rows_from(0, kNodes),
                        .q = there.view(),
                        .edges = edges.edges(),
                        .workspace = workspace.span()});
    std::vector<float> after = there.to_host();
    after.resize(kNodes * kRow);
    return after;
  };
  const TypeParam backend = tested_backend<TypeParam>();
  for (const int columns : {8, 9, 31, 64, 1000})
    EXPECT_EQ(mixed(backend, kSlots * columns), expected_mix(q, kRow, round)) << columns;
  if (std::is_same_v<TypeParam, Cpu>) return;
  EXPECT_THROW(mixed(backend, kSlots * 8 - 1), std::invalid_argument);
}

TEST(DenseMix, RefusesRowsThatAreNoQuadsOrFewOrOfAnotherWidthAndEdgesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> x(cpu, 1, 8), narrow(cpu, 1, 4), odd(cpu, 1, 6);
  const std::vector<std::int64_t> begin = {0, 0};
  const std::vector<float> self = {0};
  EXPECT_THROW(dense_mix(cpu, {.x = odd.view(), .q = odd.view(), .edges = {begin, {}, {}, self}}),
               std::invalid_argument);
  for (const MatrixView<float>& q : {narrow.view(), MatrixView<float>{x.view().data, 0, 8}})
    EXPECT_THROW(dense_mix(cpu, {.x = x.view(), .q = q, .edges = {begin, {}, {}, self}}), std::invalid_argument);
  EXPECT_THROW(dense_mix(cpu, {.x = x.view(), .q = x.view(), .edges = {begin, {}, {}, {}}}), std::invalid_argument);
  const std::vector<std::uint8_t> is_interior = {0};
  const RoundEdges parted{begin, {}, {}, self, is_interior};
  const Buffer<Cpu, float> apart(cpu, 1, 8);
  EXPECT_NO_THROW(dense_mix(cpu, {.x = x.view(), .q = apart.view(), .edges = parted, .mixed = MixedNodes::kInterior}));
  EXPECT_THROW(dense_mix(cpu, {.x = x.view(), .q = x.view(), .edges = parted, .mixed = MixedNodes::kInterior}),
               std::invalid_argument);
  const std::vector<std::int64_t> one = {0, 1};
  const std::vector<std::int32_t> slot = {1};
  EXPECT_THROW(dense_mix(cpu, {.x = x.view(), .q = x.view(), .edges = {one, slot, self, self}}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
