#include "kernels/mixing/block_mix.h"

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

/// Rows of all slots cut into blocks, and their weights.
struct Rows {
  RowLayout layout;
  int nodes, slots;
  std::int64_t blocks;
  std::vector<float> x;        ///< [slots, row]
  std::vector<double> weight;  ///< [slots, blocks]
};

Rows random_rows(const std::vector<std::int64_t>& sizes, int nodes, int halo, std::int64_t blocks,
                 std::mt19937& generator) {
  Rows rows{make_row_layout(sizes), nodes, nodes + halo, blocks, {}, {}};
  rows.x = random_values(rows.slots * rows.layout.row, generator);
  std::uniform_real_distribution<double> positive(0.25, 2);
  for (std::int64_t i = 0; i < rows.slots * blocks; ++i) rows.weight.push_back(positive(generator));
  return rows;
}

/// The block that a position belongs to, by its definition over unpadded indices.
std::int64_t block_of(const Rows& rows, std::int64_t position) {
  std::int64_t unpadded = 0;  // of the last element up to the position
  for (const Segment& s : rows.layout.segments)
    if (position >= s.begin) unpadded = s.packed_begin + std::min(position - s.begin, s.size - 1);
  std::int64_t b = 0;
  while ((b + 1) * rows.layout.params / rows.blocks <= unpadded) ++b;
  return b;
}

/// The same after round t: only what belongs to its block is mixed.
Rows expected_round(Rows rows, const Round& round, std::int64_t t) {
  const std::int64_t due = t % rows.blocks, row = rows.layout.row;
  const Rows before = rows;
  for (int node = 0; node < rows.nodes; ++node) {
    const auto mixed = [&](auto q, auto weight, std::int64_t of_node, std::int64_t columns) {
      auto sum = std::fma(weight(round.self_weight[node]), q[node * columns + of_node], q[node * columns + of_node]);
      for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e)
        sum = std::fma(weight(round.weight[e]), q[round.slot[e] * columns + of_node], sum);
      return sum;
    };
    for (std::int64_t c = 0; c < row; ++c)
      if (block_of(rows, c) == due)
        rows.x[node * row + c] = mixed(
            before.x.data(), [](float w) { return w; }, c, row);
    rows.weight[node * rows.blocks + due] = mixed(
        before.weight.data(), [](float w) { return static_cast<double>(w); }, due, rows.blocks);
  }
  return rows;
}

/// In the memory of a backend.
template <class Backend>
struct RowsOn {
  RowsOn(const Backend& backend, const Rows& rows, std::int64_t t)
      : nodes(rows.nodes),
        x(backend, rows.slots, static_cast<int>(rows.layout.row), rows.x),
        weight(backend, rows.slots, static_cast<int>(rows.blocks), rows.weight),
        begin(backend, block_begins(rows.layout, rows.blocks)),
        round(backend, std::vector<std::int64_t>{t}),
        block(backend, rows.slots, static_cast<int>(longest_block(rows.layout, rows.blocks))),
        u(backend, 1, rows.slots),
        bytes(backend, std::vector<MessageBytes>(2, {.dense = 7})),
        blocks{begin.span(), round.span().data(), rows.layout.params} {}

  int nodes;
  Buffer<Backend, float> x;
  Buffer<Backend, double> weight;
  Buffer<Backend, std::int64_t> begin, round;
  Buffer<Backend, float> block;
  Buffer<Backend, double> u;
  Buffer<Backend, MessageBytes> bytes;
  ModelBlocks blocks;
};

/// Returns the values of the nodes' rows.
template <class T>
std::vector<T> of_nodes(std::vector<T> slots, const MatrixView<T>& nodes) {
  slots.resize(nodes.size());
  return slots;
}

/// Mixes interior nodes, while nothing of other shards is there, and then the others.
template <class Backend>
void mix_in_two(const Backend& backend, const MixBlock& mix, const Round& round, const RowsOn<Backend>& there) {
  const auto x = [&] { return of_nodes(there.x.to_host(), mix.x); };
  const auto weight = [&] { return of_nodes(there.weight.to_host(), mix.weight); };
  const std::vector<float> x_before = x();
  const std::vector<double> weight_before = weight();
  MixBlock interior = mix;
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  std::vector<float> local(mix.block.size(), static_cast<float>(kUnknown));
  std::vector<double> local_u(mix.u.size(), kUnknown);
  copy(backend, local.data(), mix.block.data, sizeof(float) * round.nodes() * mix.block.cols);
  copy(backend, local_u.data(), mix.u.data(), sizeof(double) * round.nodes());
  const Buffer<Backend, float> without_halo(backend, mix.block.rows, mix.block.cols, local);
  const Buffer<Backend, double> u_without_halo(backend, local_u);
  interior.block = without_halo.view().rows_from(0, round.nodes());
  interior.u = u_without_halo.span().first(round.nodes());
  interior.mixed = MixedNodes::kInterior;
  mix_block(backend, interior);
  const std::vector<float> x_first = x();
  const std::vector<double> weight_first = weight();
  MixBlock boundary = mix;
  boundary.mixed = MixedNodes::kBoundary;
  mix_block(backend, boundary);
  EXPECT_TRUE(same_values(of_interior(x_before, x(), mix.x.cols, round), x_first));
  EXPECT_TRUE(same_values(of_interior(weight_before, weight(), mix.weight.cols, round), weight_first));
}

template <class Backend>
void expect_definition(const Rows& rows, const Round& round, std::int64_t t) {
  const Rows wanted = expected_round(rows, round, t);
  const std::int64_t due = t % rows.blocks;
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const RowsOn<Backend> there(backend, rows, t);
    // Every slot's is cut, as its owner does.
    cut_block(backend, {.x = there.x.view(),
                        .weight = there.weight.view(),
                        .blocks = there.blocks,
                        .block = there.block.view(),
                        .u = there.u.span(),
                        .bytes = there.bytes.span()});
    const std::int64_t bytes =
        4 * ((due + 1) * rows.layout.params / rows.blocks - due * rows.layout.params / rows.blocks) + 4;
    for (const MessageBytes& each : there.bytes.to_host()) EXPECT_EQ(each, (MessageBytes{bytes, bytes, bytes, 7}));
    const RoundOn<Backend> edges(backend, round);
    const MixBlock mix{.x = there.x.view().rows_from(0, rows.nodes),
                       .weight = there.weight.view().rows_from(0, rows.nodes),
                       .blocks = there.blocks,
                       .block = there.block.view(),
                       .u = there.u.span(),
                       .edges = edges.edges()};
    if (round.is_boundary.empty()) {
      mix_block(backend, mix);
    } else {
      mix_in_two(backend, mix, round, there);
    }
    EXPECT_TRUE(same_values(there.x.to_host(), wanted.x)) << rows.layout.row << ", blocks " << rows.blocks;
    EXPECT_TRUE(same_values(there.weight.to_host(), wanted.weight)) << rows.layout.row << ", blocks " << rows.blocks;
  });
}

template <class Backend>
class BlockMixOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(BlockMixOn, Backends);

/// Blocks that begin and end within tensors, of one element each, and whole rows.
TYPED_TEST(BlockMixOn, MixesTheDueBlockAndItsWeightAlone) {
  std::mt19937 generator(3);
  struct Shape {
    std::vector<std::int64_t> sizes;
    int nodes, halo;
    std::int64_t blocks;
  };
  for (const Shape& shape : {Shape{{1}, 1, 0, 1},
                             {{3, 5, 2}, 3, 0, 10},
                             {{3, 5, 2}, 3, 2, 3},
                             {{31, 1, 90}, 4, 1, 1},
                             {{31, 1, 90}, 4, 0, 2},
                             {{700, 5}, 2, 1, 2}}) {
    const Rows rows = random_rows(shape.sizes, shape.nodes, shape.halo, shape.blocks, generator);
    const Round round = random_round(shape.nodes, shape.nodes + shape.halo, generator);
    for (std::int64_t t = 0; t < shape.blocks; ++t) expect_definition<TypeParam>(rows, round, t + 2 * shape.blocks);
  }
}

TYPED_TEST(BlockMixOn, MixesInteriorNodesBeforeTheOthers) {
  std::mt19937 generator(7);
  for (const int nodes : {1, 2, 9, 40})
    for (const std::int64_t blocks : {1, 3}) {
      const Rows rows = random_rows({31, 1, 90}, nodes, 5, blocks, generator);
      const Round round = random_parted_round(nodes, nodes + 5, generator);
      for (std::int64_t t = 0; t < blocks; ++t) expect_definition<TypeParam>(rows, round, t);
    }
}

TYPED_TEST(BlockMixOn, CutsTheDueBlockAndClearsWhatIsBehindIt) {
  std::mt19937 generator(4);
  const Rows rows = random_rows({3, 6, 2}, 3, 0, 4, generator);  // of 2 and 3 elements, padding within
  const std::int64_t row = rows.layout.row;
  for (std::int64_t t = 0; t < 4; ++t) {
    std::vector<float> wanted;
    for (int node = 0; node < 3; ++node) {
      std::vector<float> block;
      for (std::int64_t c = 0; c < row; ++c)
        if (block_of(rows, c) == t) block.push_back(rows.x[node * row + c]);
      block.resize(longest_block(rows.layout, 4));
      wanted.insert(wanted.end(), block.begin(), block.end());
    }
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      RowsOn<TypeParam> there(backend, rows, t);
      there.block.assign(std::vector<float>(wanted.size(), 5.0f));
      cut_block(backend, {.x = there.x.view(),
                          .weight = there.weight.view(),
                          .blocks = there.blocks,
                          .block = there.block.view(),
                          .u = there.u.span()});
      EXPECT_TRUE(same_values(there.block.to_host(), wanted)) << t;
      const std::vector<double> u = there.u.to_host();
      for (int node = 0; node < 3; ++node) EXPECT_EQ(u[node], rows.weight[node * 4 + t]);
    });
  }
}

TYPED_TEST(BlockMixOn, DividesEveryElementByTheWeightOfItsBlock) {
  std::mt19937 generator(5);
  for (const std::int64_t blocks : {1, 3, 11, 600}) {
    const Rows rows = random_rows({3, 700, 2}, 2, 0, blocks, generator);
    std::vector<float> wanted;
    for (int node = 0; node < 2; ++node)
      for (std::int64_t c = 0; c < rows.layout.row; ++c)
        wanted.push_back(rows.x[node * rows.layout.row + c] *
                         static_cast<float>(1.0 / rows.weight[node * blocks + block_of(rows, c)]));
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const RowsOn<TypeParam> there(backend, rows, 0);
      const Buffer<TypeParam, float> z(backend, 2, static_cast<int>(rows.layout.row));
      debias_blocks(backend, there.x.view(), there.weight.view(), there.blocks, z.view());
      EXPECT_TRUE(same_values(z.to_host(), wanted)) << blocks;
    });
  }
}

TEST(BlockMix, BlocksCoverRowsInOrder) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3, 6, 2});  // at 0, 4 and 12
  EXPECT_EQ(block_begins(layout, 1), (std::vector<std::int64_t>{0, 16}));
  EXPECT_EQ(block_begins(layout, 2), (std::vector<std::int64_t>{0, 6, 16}));
  EXPECT_EQ(block_begins(layout, 11), (std::vector<std::int64_t>{0, 1, 2, 4, 5, 6, 7, 8, 9, 12, 13, 16}));
  EXPECT_EQ(longest_block(layout, 2), 12);
  EXPECT_THROW(block_begins(layout, 12), std::invalid_argument);
  EXPECT_THROW(block_begins(layout, 0), std::invalid_argument);
}

TEST(BlockMix, RefusesShapesThatDoNotFit) {
  std::mt19937 generator(6);
  const Cpu cpu = tested_cpu(1);
  const Rows rows = random_rows({8}, 2, 0, 2, generator);
  RowsOn<Cpu> there(cpu, rows, 0);
  const Buffer<Cpu, float> narrow(cpu, 2, 1), one(cpu, 1, 8);
  const RowsOn<Cpu> three(cpu, random_rows({8}, 2, 0, 3, generator), 0);
  CutBlock cut{there.x.view(), there.weight.view(), there.blocks, there.block.view(), there.u.span()};
  EXPECT_NO_THROW(cut_block(cpu, cut));
  for (const auto& block : {narrow.view(), one.view()}) {
    cut.block = block;
    EXPECT_THROW(cut_block(cpu, cut), std::invalid_argument);
  }
  const std::vector<std::int64_t> begin = {0, 0, 0};
  const std::vector<float> self = {0, 0};
  MixBlock mix{there.x.view(),     there.weight.view(), there.blocks,
               there.block.view(), there.u.span(),      {begin, {}, {}, self}};
  EXPECT_NO_THROW(mix_block(cpu, mix));
  MixBlock some = mix;
  some.mixed = MixedNodes::kInterior;
  EXPECT_THROW(mix_block(cpu, some), std::invalid_argument) << "which ones are interior is not said";
  const std::vector<std::int64_t> first_hears = {0, 1, 1};
  const std::vector<std::int32_t> slot = {2};
  const std::vector<float> edge = {0.5f};
  const std::vector<std::uint8_t> is_boundary = {1, 0}, is_interior = {0, 0};
  some.edges = {first_hears, slot, edge, self, is_boundary};
  EXPECT_NO_THROW(mix_block(cpu, some)) << "nobody is mixed who hears slot 2";
  some.edges.is_boundary = is_interior;
  EXPECT_THROW(mix_block(cpu, some), std::invalid_argument);
  mix.u = mix.u.first(1);
  EXPECT_THROW(mix_block(cpu, mix), std::invalid_argument);
  EXPECT_THROW(debias_blocks(cpu, there.x.view(), three.weight.view(), there.blocks, there.x.view()),
               std::invalid_argument);
  EXPECT_THROW(debias_blocks(cpu, there.x.view(), there.weight.view(), there.blocks, one.view()),
               std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
