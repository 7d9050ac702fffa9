#include "kernels/messages/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/kernels/messages/quantized_messages.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr int kFirstNode = 3;
constexpr std::int64_t kRound = 5;
const std::vector<std::uint64_t> kSeeds = {7, 0x1'0000'0008};

/// Rows of v with hard values, for two replicas; padding is +0.
std::vector<float> hard_rows(const RowLayout& layout, int rows) {
  std::mt19937 generator(static_cast<unsigned>(layout.row));
  const std::vector<float> values = random_values(static_cast<std::size_t>(rows) * layout.row, generator);
  std::vector<float> v(values.size());
  for (int row = 0; row < rows; ++row)
    for (std::size_t s = 0; s < layout.segments.size(); ++s)
      for (std::int64_t j = 0; j < layout.segments[s].size; ++j) {
        const auto i = static_cast<std::size_t>(row * layout.row + layout.segments[s].begin + j);
        v[i] = values[i] * (row == 1 ? 1e-20f : row == 2 && s == 0 ? 1e-42f : 1);
        if (generator() % 16 == 0) v[i] = generator() % 2 == 0 ? 0.0f : -0.0f;
      }
  return v;
}

/// q and what is left, by the contract.
struct Wanted {
  std::vector<float> q, rest;
};

template <class Message>
Wanted wanted_of(const RowLayout& layout, const std::vector<float>& v, int rows, const Message& message) {
  Wanted wanted{std::vector<float>(v.size()), v};
  for (int row = 0; row < rows; ++row)
    for (const Segment& segment : layout.segments) {
      const std::int64_t begin = row * layout.row + segment.begin;
      const std::vector<float> q =
          message(row, segment, std::vector<float>(v.begin() + begin, v.begin() + begin + segment.size));
      for (std::int64_t j = 0; j < segment.size; ++j) {
        wanted.q[begin + j] = q[j];
        wanted.rest[begin + j] = v[begin + j] - q[j];
      }
    }
  return wanted;
}

template <class Backend>
class QuantizeOn : public BackendTest<Backend> {
 protected:
  /// Runs op(backend, layout there, arguments) in every way, with a slot more than there are nodes.
  template <class Op>
  static void expect(const RowLayout& layout, const std::vector<float>& v, int rows, const Wanted& wanted,
                     const Op& op) {
    for_each_way_to_run<Backend>([&](const Backend& backend) {
      const int columns = static_cast<int>(layout.row);
      const Buffer<Backend, float> there(backend, rows, columns, v), q(backend, rows + 1, columns);
      const auto layout_there = layout_on(backend, layout);
      op(backend, layout_there, Quantize{.v = there.view(), .q = q.view()});
      std::vector<float> sent = q.to_host();
      sent.resize(v.size());
      EXPECT_TRUE(same_values(sent, wanted.q));
      EXPECT_TRUE(same_values(there.to_host(), wanted.rest));
    });
  }
  template <class Settings>
  static void expect_levels(const RowLayout& layout, const std::vector<float>& v, int rows, Settings settings) {
    const int nodes = rows / static_cast<int>(kSeeds.size());
    const Wanted wanted = wanted_of(layout, v, rows, [&](int row, const Segment& segment, const auto& tensor) {
      settings.seed = kSeeds[row / nodes];
      settings.node = kFirstNode + row % nodes;
      settings.round = kRound;
      return q_of(levels_of(tensor, segment.begin, settings), settings);
    });
    expect(layout, v, rows, wanted, [&](const Backend& backend, const auto& layout_there, const Quantize& quantize) {
      const Buffer<Backend, std::uint64_t> seed(backend, kSeeds);
      const Buffer<Backend, std::int64_t> round(backend, std::vector<std::int64_t>{kRound});
      quantize_to_levels(backend, layout_there, quantize,
                         {.levels = settings.levels,
                          .unbiased = settings.unbiased,
                          .draws = {.seed = seed.span(), .round = round.span().data(), .first_node = kFirstNode}});
    });
  }
};
TYPED_TEST_SUITE(QuantizeOn, Backends);

std::vector<RowLayout> layouts() {
  std::vector<RowLayout> all;
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{1}, {16}, {1, 17, 4, 33}, {1030, 3}, {2, 2049}})
    all.push_back(make_row_layout(sizes));
  return all;
}

TYPED_TEST(QuantizeOn, LevelsAreThoseOfTheDefinition) {
  for (const RowLayout& layout : layouts())
    for (const auto& [levels, unbiased] : {std::pair{1, false}, {3, true}, {127, false}, {127, true}, {65535, false}})
      this->expect_levels(layout, hard_rows(layout, 4), 4, LevelSettings{.levels = levels, .unbiased = unbiased});
}

TYPED_TEST(QuantizeOn, ManyTensorsAreThoseOfTheDefinition) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{30, 1, 17, 66});
  this->expect_levels(layout, hard_rows(layout, 40), 40, LevelSettings{.levels = 5});
}

TYPED_TEST(QuantizeOn, SignsAreThoseOfTheDefinition) {
  for (const RowLayout& layout : layouts()) {
    const std::vector<float> v = hard_rows(layout, 4);
    const Wanted wanted =
        wanted_of(layout, v, 4, [](int, const Segment&, const auto& tensor) { return q_of(signs_of(tensor)); });
    this->expect(layout, v, 4, wanted,
                 [](const TypeParam& backend, const auto& layout_there, const Quantize& quantize) {
                   quantize_to_signs(backend, layout_there, quantize);
                 });
  }
}

/// Whatever becomes of such a tensor, neighbours are what they would be without.
TYPED_TEST(QuantizeOn, ValuesThatAreNotFiniteStayInTheirTensor) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{5, 6, 7});
  std::vector<float> v = hard_rows(layout, 2);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    v[layout.segments[1].begin + 2] = bad;
    for (const bool unbiased : {false, true})
      this->expect_levels(layout, v, 2, LevelSettings{.levels = 9, .unbiased = unbiased});
  }
}

/// q may lie beyond v, so that the rest is rounded once.
TYPED_TEST(QuantizeOn, WhatIsLeftAndWhatIsSentAddUpToWithinARounding) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{300});
  std::mt19937 generator(1);
  const std::vector<float> v = random_values(layout.row, generator);
  const TypeParam backend = tested_backend<TypeParam>();
  const auto layout_there = layout_on(backend, layout);
  const Buffer<TypeParam, float> q(backend, 1, 300);
  const Buffer<TypeParam, std::uint64_t> seed(backend, std::vector<std::uint64_t>{1});
  const Buffer<TypeParam, std::int64_t> round(backend, std::vector<std::int64_t>{0});
  const auto expect_sum = [&](const auto& quantize) {
    const Buffer<TypeParam, float> rest(backend, 1, 300, v);
    quantize({.v = rest.view(), .q = q.view()});
    const auto sent = q.to_host(), left = rest.to_host();
    for (std::size_t i = 0; i < v.size(); ++i)
      EXPECT_LE(std::abs(double{sent[i]} + left[i] - v[i]), 0x1p-24 * std::max(std::abs(sent[i]), std::abs(v[i])));
  };
  expect_sum([&](const Quantize& quantize) { quantize_to_signs(backend, layout_there, quantize); });
  expect_sum([&](const Quantize& quantize) {
    quantize_to_levels(backend, layout_there, quantize,
                       {.levels = 4, .draws = {.seed = seed.span(), .round = round.span().data()}});
  });
}

/// Over many rounds the mean of q comes to v, or to v / (1 + omega).
TEST(Quantize, TheMeanOverRoundsIsTheVector) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{64});
  std::mt19937 generator(2);
  const std::vector<float> v = random_values(layout.row, generator);
  const Cpu cpu = tested_cpu(1);
  constexpr int kRounds = 20'000;
  const std::vector<std::uint64_t> seed = {5};
  for (const bool unbiased : {true, false}) {
    std::vector<double> mean(v.size());
    for (std::int64_t round = 0; round < kRounds; ++round) {
      const Buffer<Cpu, float> rest(cpu, 1, 64, v), q(cpu, 1, 64);
      Levels levels{.levels = 4, .unbiased = unbiased, .draws = {}};
      std::vector<std::uint64_t> seeds = seed;
      levels.draws = {.seed = seeds, .round = &round};
      quantize_to_levels(cpu, layout, {.v = rest.view(), .q = q.view()}, levels);
      for (std::size_t i = 0; i < v.size(); ++i) mean[i] += q.span()[i] / kRounds;
    }
    const double omega = unbiased ? 0 : 2;  // the lesser of 64 / 16 and 8 / 4
    for (std::size_t i = 0; i < v.size(); ++i) EXPECT_NEAR(mean[i], v[i] / (1 + omega), 0.03);
  }
}

TEST(Quantize, RefusesOtherShapesAndNoLevels) {
  const Cpu cpu = tested_cpu(1);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{5});
  const Buffer<Cpu, float> v(cpu, 2, 8), narrow(cpu, 2, 4), few(cpu, 1, 8);
  EXPECT_THROW(quantize_to_signs(cpu, layout, {v.view(), narrow.view()}), std::invalid_argument);
  EXPECT_THROW(quantize_to_signs(cpu, layout, {narrow.view(), v.view()}), std::invalid_argument);
  EXPECT_THROW(quantize_to_signs(cpu, layout, {v.view(), few.view()}), std::invalid_argument);
  const std::int64_t round = 0;
  const std::vector<std::uint64_t> seeds = {1, 2, 3}, one = {1};
  const auto levels = [&](int count, const std::vector<std::uint64_t>& seed, const std::int64_t* at) {
    quantize_to_levels(cpu, layout, {v.view(), v.view()}, {.levels = count, .draws = {.seed = seed, .round = at}});
  };
  EXPECT_NO_THROW(levels(1, one, &round));
  EXPECT_THROW(levels(0, one, &round), std::invalid_argument);
  EXPECT_THROW(levels(1, seeds, &round), std::invalid_argument);
  EXPECT_THROW(levels(1, one, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
