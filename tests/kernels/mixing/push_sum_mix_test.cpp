#include "kernels/mixing/push_sum_mix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/kernels/mixing/mixing_round.h"
#include "tests/random_values.h"

namespace sparsepush {
namespace {

/// Every message as a dense row with holes, mixed element by element in the order of the definition.
std::vector<float> expected_mix(std::vector<float> x, int row, const Round& round,
                                const std::vector<std::vector<std::int32_t>>& position,
                                const std::vector<std::vector<float>>& value) {
  const auto add = [&](std::size_t node, float weight, std::size_t slot) {
    for (std::size_t i = 0; i < position[slot].size(); ++i) {
      float& element = x[node * row + position[slot][i]];
      element = std::fma(weight, value[slot][i], element);
    }
  };
  for (std::size_t node = 0; node + 1 < round.begin.size(); ++node) {
    add(node, round.self_weight[node], node);
    for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e) add(node, round.weight[e], round.slot[e]);
  }
  return x;
}

/// Messages of at most `entries` entries with random positions, in the op's arrays and as lists.
struct Sent {
  std::vector<std::vector<std::int32_t>> position;
  std::vector<std::vector<float>> value;
  std::vector<std::int64_t> count;
};

Sent random_messages(int slots, int row, int entries, std::mt19937& generator) {
  Sent sent;
  for (int slot = 0; slot < slots; ++slot) {
    const int wanted = slot == 1 ? 0 : entries - static_cast<int>(generator() % (entries / 2 + 1));
    sent.position.emplace_back();
    int left = row;
    for (int p = 0; p < row; ++p, --left) {
      const int missing = wanted - static_cast<int>(sent.position.back().size());
      if (static_cast<int>(generator() % left) < missing) sent.position.back().push_back(p);
    }
    sent.value.push_back(random_values(sent.position.back().size(), generator));
    sent.count.push_back(static_cast<std::int64_t>(sent.position.back().size()));
  }
  return sent;
}

/// Mixes interior nodes, while nothing of other shards is there, and then the others.
template <class Backend>
void mix_in_two(const Backend& backend, const PushSumMix& mix, const Round& round, const std::vector<float>& x,
                const Buffer<Backend, float>& state) {
  PushSumMix interior = mix;
  interior.messages.position.rows = interior.messages.value.rows = round.nodes();
  interior.entries = mix.entries.first(round.nodes());
  interior.mixed = MixedNodes::kInterior;
  push_sum_mix(backend, interior);
  const std::vector<float> first = state.to_host();
  PushSumMix boundary = mix;
  boundary.mixed = MixedNodes::kBoundary;
  push_sum_mix(backend, boundary);
  EXPECT_EQ(of_interior(x, state.to_host(), mix.x.cols, round), first);
}

template <class Backend>
std::vector<float> mixed(const Backend& backend, std::span<const float> x, int row, int entries, const Round& round,
                         const Sent& sent) {
  const int slots = static_cast<int>(sent.count.size());
  Buffer<Backend, float> state(backend, static_cast<int>(x.size()) / row, row, x);
  std::vector<std::int32_t> positions(slots * entries, 1 << 30);  // what does not count is not looked at
  std::vector<float> values(slots * entries, 1e30f);
  for (int slot = 0; slot < slots; ++slot) {
    std::ranges::copy(sent.position[slot], positions.begin() + slot * entries);
    std::ranges::copy(sent.value[slot], values.begin() + slot * entries);
  }
  const Buffer<Backend, std::int32_t> position(backend, slots, entries, positions);
  const Buffer<Backend, float> value(backend, slots, entries, values);
  const Buffer<Backend, std::int64_t> count(backend, sent.count);
  const RoundOn<Backend> round_there(backend, round);
  const PushSumMix mix{.x = state.view(),
                       .messages = Messages{position.view(), value.view()},
                       .entries = count.span(),
                       .edges = round_there.edges()};
  if (round.is_boundary.empty()) {
    push_sum_mix(backend, mix);
  } else {
    mix_in_two(backend, mix, round, std::vector(x.begin(), x.end()), state);
  }
  return state.to_host();
}

template <class Backend>
class PushSumMixOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(PushSumMixOn, Backends);

/// Random messages of at most `entries` entries over random edges.
struct Shape {
  int nodes, slots, row, entries;
};

template <class Backend>
void expect_definition(const Shape& shape, const Round& round, std::mt19937& generator) {
  const Sent sent = random_messages(shape.slots, shape.row, shape.entries, generator);
  const std::vector<float> x = random_values(shape.nodes * shape.row, generator);
  const std::vector<float> wanted = expected_mix(x, shape.row, round, sent.position, sent.value);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    EXPECT_EQ(mixed(backend, x, shape.row, shape.entries, round, sent), wanted) << shape.entries << " entries";
  });
}

template <class Backend>
void expect_definition(const Shape& shape) {
  std::mt19937 generator(1);
  expect_definition<Backend>(shape, random_round(shape.nodes, shape.slots, generator), generator);
}

TYPED_TEST(PushSumMixOn, AddsSelfThenInNeighboursByAscendingSource) {
  for (const int entries : {1, 40, 127, 128, 129, 300})
    expect_definition<TypeParam>({.nodes = 5, .slots = 8, .row = 400, .entries = entries});
}

/// Message 1 is empty: the first node hears only it, the second has only it. Lengths around what a block of a GPU adds
/// in one step, and in as many steps as are ahead of each other.
TYPED_TEST(PushSumMixOn, AddsToNodesThatHearNobodyOneOrEverybody) {
  std::mt19937 generator(3);
  const Round round{.begin = {0, 1, 1, 6},
                    .slot = {1, 0, 1, 3, 4, 5},
                    .weight = random_values(6, generator),
                    .self_weight = {-0.5f, 0.25f, -0.25f}};
  for (const int entries : {2, 28, 63, 64, 65, 191, 192, 256, 257, 320, 1023, 1025})
    expect_definition<TypeParam>({.nodes = 3, .slots = 6, .row = 1400, .entries = entries}, round, generator);
}

TYPED_TEST(PushSumMixOn, CutsTheRowsOfFewNodesWithoutChangingABit) {
  expect_definition<TypeParam>({.nodes = 2, .slots = 3, .row = 30000, .entries = 15000});
}

TYPED_TEST(PushSumMixOn, MixesInteriorNodesBeforeTheOthers) {
  std::mt19937 generator(6);
  for (const int nodes : {1, 2, 9, 40}) {
    const Round round = random_parted_round(nodes, nodes + 5, generator);
    for (const int entries : {3, 200})
      expect_definition<TypeParam>({.nodes = nodes, .slots = nodes + 5, .row = 400, .entries = entries}, round,
                                   generator);
  }
}

/// More in-neighbours than a block of a GPU looks at together.
TYPED_TEST(PushSumMixOn, AddsHundredsOfInNeighbours) {
  expect_definition<TypeParam>({.nodes = 2, .slots = 600, .row = 12, .entries = 5});
}

/// Around the lengths of messages where the work of the middle is shared among more blocks than that of others.
TYPED_TEST(PushSumMixOn, AddsToTheMiddleOfAStar) {
  std::mt19937 generator(2);
  constexpr int kNodes = 30;
  Round star = random_round(1, kNodes, generator);
  for (int node = 1; node < kNodes; ++node) {
    star.slot.push_back(0);
    star.weight.push_back(0.5f);
    star.begin.push_back(static_cast<std::int64_t>(star.slot.size()));
    star.self_weight.push_back(-0.25f);
  }
  for (const int entries : {287, 288, 1500, 3100})
    expect_definition<TypeParam>({.nodes = kNodes, .slots = kNodes, .row = 3200, .entries = entries}, star, generator);
}

TYPED_TEST(PushSumMixOn, LeavesElementsWithoutAnEntryUntouched) {
  const Sent sent{.position = {{1}}, .value = {{2.0f}}, .count = {1}};
  Round round;
  round.begin = {0, 0};
  round.self_weight = {-0.5f};
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const std::vector<float> x = mixed(backend, std::vector<float>{-0.0f, 1, -0.0f, 3}, 4, 1, round, sent);
    EXPECT_EQ(x, (std::vector<float>{-0.0f, 0, -0.0f, 3}));
    EXPECT_TRUE(std::signbit(x[0]));
  });
}

TEST(PushSumMix, RefusesShapesAndValuesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> x(cpu, 1, 4), value(cpu, 2, 3), narrow(cpu, 2, 2);
  Buffer<Cpu, std::int32_t> position(cpu, 2, 3);
  const std::vector<std::int64_t> begin = {0, 1}, entries = {3, 0}, many = {3, 4}, few = {1};
  const std::vector<std::int32_t> slot = {1};
  const std::vector<float> weight = {0.5f}, self = {-0.5f};
  const PushSumMix good{.x = x.view(),
                        .messages = {position.view(), value.view()},
                        .entries = entries,
                        .edges = {begin, slot, weight, self}};
  EXPECT_NO_THROW(push_sum_mix(cpu, good));
  PushSumMix bad = good;
  bad.entries = many;
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument);
  bad.entries = few;
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument);
  bad = good;
  bad.messages.value = narrow.view();
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument);
  bad = good;
  bad.edges.self_weight = {};
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument);
  bad = good;
  bad.mixed = MixedNodes::kInterior;
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument) << "which ones are interior is not said";
  const std::vector<std::uint8_t> is_interior = {0};
  bad.edges.is_boundary = is_interior;
  EXPECT_NO_THROW(push_sum_mix(cpu, bad));
  bad.messages.position.rows = bad.messages.value.rows = 1;
  bad.entries = bad.entries.first(1);
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument) << "it hears slot 1";
  const std::vector<std::int32_t> outside = {2};
  bad = good;
  bad.edges.slot = outside;
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
