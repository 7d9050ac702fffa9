#include "kernels/backend/scratch_arrays.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace sparsepush {
namespace {

TEST(ScratchArrays, AreZeroOnLinesOfTheirOwnAndApart) {
  std::vector<CacheLine> memory(7);
  std::fill_n(memory.front().bytes, 7 * sizeof(CacheLine), std::byte{0xff});
  ScratchArrays arrays(memory);
  float* const first = arrays.take<float>(17);
  double* const second = arrays.take<double>(8);
  float* const none = arrays.take<float>(0);
  float* const third = arrays.take<float>(1);
  EXPECT_EQ(reinterpret_cast<std::byte*>(first), memory[0].bytes);
  EXPECT_EQ(reinterpret_cast<std::byte*>(second), memory[2].bytes);
  EXPECT_EQ(none, third);
  EXPECT_EQ(reinterpret_cast<std::byte*>(third), memory[3].bytes);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(third) % 64, 0u);
  EXPECT_EQ(std::count(first, first + 17, 0.0f), 17);
  EXPECT_EQ(std::count(second, second + 8, 0.0), 8);
  EXPECT_EQ(third[0], 0.0f);
}

/// Not inline: a compiler that knows how much is left warns of what is refused.
[[gnu::noinline]] void take_floats(ScratchArrays& arrays, std::int64_t count) { arrays.take<float>(count); }

TEST(ScratchArrays, CountTheLinesThatTheyTakeAndTakeNoMore) {
  EXPECT_EQ(ScratchArrays::lines<float>(0), 0);
  EXPECT_EQ(ScratchArrays::lines<float>(16), 1);
  EXPECT_EQ(ScratchArrays::lines<float>(17), 2);
  EXPECT_EQ(ScratchArrays::lines<double>(17), 3);
  std::vector<CacheLine> memory(ScratchArrays::lines<float>(17) + ScratchArrays::lines<double>(17));
  ScratchArrays arrays(memory);
  take_floats(arrays, 17);
  arrays.take<double>(17);
  EXPECT_THROW(take_floats(arrays, 1), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
