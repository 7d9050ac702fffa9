#include "kernels/push_sum_mix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/buffer.h"
#include "tests/mixing_round.h"

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

std::vector<float> mixed(int threads, std::vector<float> x, int row, int entries, const Round& round,
                         const Sent& sent) {
  const Cpu cpu(threads);
  const int slots = static_cast<int>(sent.count.size());
  Buffer<Cpu, float> state(cpu, static_cast<int>(x.size()) / row, row, x);
  Buffer<Cpu, std::int32_t> position(cpu, slots, entries);
  Buffer<Cpu, float> value(cpu, slots, entries);
  for (int slot = 0; slot < slots; ++slot) {
    std::fill_n(position.view().row(slot), entries, 1 << 30);  // what does not count is not looked at
    std::copy(sent.position[slot].begin(), sent.position[slot].end(), position.view().row(slot));
    std::copy(sent.value[slot].begin(), sent.value[slot].end(), value.view().row(slot));
  }
  push_sum_mix(cpu, {.x = state.view(),
                     .messages = Messages{position.view(), value.view()},
                     .entries = sent.count,
                     .edges = round.edges()});
  return state.to_host();
}

TEST(PushSumMix, AddsSelfThenInNeighboursByAscendingSource) {
  std::mt19937 generator(1);
  for (const int entries : {1, 40, 127, 128, 129, 300}) {
    const int nodes = 5, slots = 8, row = 400;
    const Round round = random_round(nodes, slots, generator);
    const Sent sent = random_messages(slots, row, entries, generator);
    const std::vector<float> x = random_values(nodes * row, generator);
    EXPECT_EQ(mixed(1, x, row, entries, round, sent), expected_mix(x, row, round, sent.position, sent.value))
        << entries;
  }
}

TEST(PushSumMix, CutsTheRowsOfFewNodesWithoutChangingABit) {
  std::mt19937 generator(2);
  const int nodes = 2, slots = 3, row = 60000, entries = 30000;
  const Round round = random_round(nodes, slots, generator);
  const Sent sent = random_messages(slots, row, entries, generator);
  const std::vector<float> x = random_values(nodes * row, generator);
  const std::vector<float> wanted = expected_mix(x, row, round, sent.position, sent.value);
  for (const int threads : {1, 2, 4}) EXPECT_EQ(mixed(threads, x, row, entries, round, sent), wanted) << threads;
}

TEST(PushSumMix, LeavesElementsWithoutAnEntryUntouched) {
  const Cpu cpu(1);
  Buffer<Cpu, float> x(cpu, 1, 4, std::vector<float>{-0.0f, 1, -0.0f, 3});
  Buffer<Cpu, std::int32_t> position(cpu, {1});
  Buffer<Cpu, float> value(cpu, {2.0f});
  const std::vector<std::int64_t> begin = {0, 0}, entries = {1};
  const std::vector<float> self = {-0.5f};
  push_sum_mix(cpu, {.x = x.view(),
                     .messages = Messages{position.view(), value.view()},
                     .entries = entries,
                     .edges = {.begin = begin, .slot = {}, .weight = {}, .self_weight = self}});
  EXPECT_EQ(x.to_host(), (std::vector<float>{-0.0f, 0, -0.0f, 3}));
  EXPECT_TRUE(std::signbit(x.to_host()[0]));
}

TEST(PushSumMix, RefusesShapesAndValuesThatDoNotFit) {
  const Cpu cpu(1);
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
  const std::vector<std::int32_t> outside = {2};
  bad = good;
  bad.edges.slot = outside;
  EXPECT_THROW(push_sum_mix(cpu, bad), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
