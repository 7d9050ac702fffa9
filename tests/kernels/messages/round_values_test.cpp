#include "kernels/messages/round_values.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

/// The nearer of the two bfloat16 that enclose a value; of two as near the one whose last bit is 0.
float nearest_bfloat16(float value) {
  const auto below = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0xffff'0000u);
  const auto above = std::bit_cast<float>(std::bit_cast<std::uint32_t>(below) + 0x1'0000u);
  const double to_below = std::abs(double{value} - below), to_above = std::abs(double{value} - above);
  if (to_below != to_above) return to_below < to_above ? below : above;
  return (std::bit_cast<std::uint32_t>(below) >> 16 & 1u) == 0 ? below : above;
}

TEST(RoundToBfloat16, TakesTheNearestAndTiesToEven) {
  std::mt19937 generator(1);
  std::vector<float> values = random_values(1000, generator);
  for (const std::uint32_t bits : {0x3f808000u, 0x3f818000u, 0x3f808001u, 0x3f807fffu, 0x00008000u, 0x00018000u, 1u})
    for (const std::uint32_t sign : {0u, 0x8000'0000u}) values.push_back(std::bit_cast<float>(bits | sign));
  for (const float value : values) EXPECT_EQ(round_to_bfloat16(value), nearest_bfloat16(value)) << value;
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(round_to_bfloat16(infinity), infinity);
  EXPECT_EQ(round_to_bfloat16(-infinity), -infinity);
  EXPECT_TRUE(std::isnan(round_to_bfloat16(std::bit_cast<float>(0x7f80'0001u))));
  EXPECT_TRUE(std::signbit(round_to_bfloat16(-0.0f)));
}

template <class Backend>
class RoundValuesOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(RoundValuesOn, Backends);

/// Messages of different lengths; what lies behind them stays.
TYPED_TEST(RoundValuesOn, WhatIsCutOffGoesBackToTheRow) {
  constexpr int kRows = 3, kColumns = 400, kEntries = 300;
  const std::vector<std::int64_t> entries = {300, 0, 17, 5};
  std::mt19937 generator(2);
  const std::vector<float> v = random_values(kRows * kColumns, generator);
  const std::vector<float> value = random_values((kRows + 1) * kEntries, generator);
  std::vector<std::int32_t> position;
  for (std::size_t i = 0; i < value.size(); ++i) position.push_back(static_cast<std::int32_t>(i % kEntries + i / 200));
  std::vector<float> rest = v, rounded = value;
  for (int row = 0; row < kRows; ++row)
    for (std::int64_t e = 0; e < entries[row]; ++e) {
      const std::size_t i = row * kEntries + e;
      rounded[i] = nearest_bfloat16(value[i]);
      rest[row * kColumns + position[i]] = value[i] - rounded[i];
      EXPECT_EQ(double{rounded[i]} + rest[row * kColumns + position[i]], value[i]) << "nothing is lost";
    }
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, float> left(backend, kRows, kColumns, v), values(backend, kRows + 1, kEntries, value);
    const Buffer<TypeParam, std::int32_t> positions(backend, kRows + 1, kEntries, position);
    const Buffer<TypeParam, std::int64_t> counts(backend, entries);
    round_values(backend, {.v = left.view(), .messages = {positions.view(), values.view()}, .entries = counts.span()});
    EXPECT_TRUE(same_values(left.to_host(), rest));
    EXPECT_TRUE(same_values(values.to_host(), rounded));
  });
}

TEST(RoundValues, RefusesOtherShapes) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> v(cpu, 2, 8), value(cpu, 2, 4), few(cpu, 1, 4);
  const Buffer<Cpu, std::int32_t> position(cpu, 2, 4), few_positions(cpu, 1, 4);
  const std::vector<std::int64_t> entries = {4, 4}, one = {4};
  EXPECT_NO_THROW(round_values(cpu, {v.view(), {position.view(), value.view()}, entries}));
  EXPECT_THROW(round_values(cpu, {v.view(), {few_positions.view(), few.view()}, entries}), std::invalid_argument);
  EXPECT_THROW(round_values(cpu, {v.view(), {position.view(), few.view()}, entries}), std::invalid_argument);
  EXPECT_THROW(round_values(cpu, {v.view(), {position.view(), value.view()}, one}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
