#include "kernels/backend/tf32.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace sparsepush {
namespace {

float of_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }
std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

TEST(Tf32, RoundsToTheNearestOfElevenBitsAndTiesAwayFromZero) {
  for (const float sign : {1.0f, -1.0f}) {
    EXPECT_EQ(round_to_tf32(sign * 1.0f), sign * 1.0f);
    EXPECT_EQ(round_to_tf32(sign * (1 + 0x1p-10f)), sign * (1 + 0x1p-10f)) << "the last bit that is left";
    EXPECT_EQ(round_to_tf32(sign * (1 + 0x1p-11f)), sign * (1 + 0x1p-10f)) << "a tie";
    EXPECT_EQ(round_to_tf32(sign * (1 + 0x1p-11f - 0x1p-23f)), sign * 1.0f);
    EXPECT_EQ(round_to_tf32(sign * (2 - 0x1p-23f)), sign * 2.0f) << "carried into the exponent";
  }
  for (float value = 1e-30f; value < 1e30f; value *= 1.37f) {
    EXPECT_LE(std::abs(round_to_tf32(value) - value), value * 0x1p-11f);
    EXPECT_EQ(bits_of(round_to_tf32(value)) & 0x1fffu, 0u) << value;
  }
}

TEST(Tf32, ZerosAndInfinitiesStayAndWhatIsTooLargeBecomesInfinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::uint32_t bits : {0u, 0x8000'0000u}) EXPECT_EQ(bits_of(round_to_tf32(of_bits(bits))), bits);
  EXPECT_EQ(round_to_tf32(kInfinity), kInfinity);
  EXPECT_EQ(round_to_tf32(-kInfinity), -kInfinity);
  EXPECT_EQ(round_to_tf32(std::numeric_limits<float>::max()), kInfinity);
  EXPECT_EQ(round_to_tf32(of_bits(0x7f7f'efff)), of_bits(0x7f7f'e000)) << "just below";
}

TEST(Tf32, NanStaysNanWhateverItsBits) {
  for (const std::uint32_t bits : {0x7fff'ffffu, 0xffff'ffffu, 0x7f80'0001u, 0xff80'0001u, 0x7fc0'0000u}) {
    const float rounded = round_to_tf32(of_bits(bits));
    EXPECT_TRUE(std::isnan(rounded)) << std::hex << bits;
    EXPECT_TRUE(std::isnan(of_bits(bits_of(rounded) & ~0x1fffu))) << std::hex << bits << " without its low bits";
  }
}

}  // namespace
}  // namespace sparsepush
