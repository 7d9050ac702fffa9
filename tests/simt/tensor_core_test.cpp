// The simulator's matrix products and asynchronous copies notice what they exist for.
#include "kernels/backend/tensor_core.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "tests/simt/simt.h"

namespace sparsepush {
namespace {

/// c [16, 8] += a [16, 8] b [8, 8], twice, by every warp of a block.
void multiply_kernel(const float* a, const float* b, float* c) {
  const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
  const float of_a[4] = {a[g * 8 + t], a[(g + 8) * 8 + t], a[g * 8 + t + 4], a[(g + 8) * 8 + t + 4]};
  const float of_b[2] = {b[t * 8 + g], b[(t + 4) * 8 + g]};
  float sum[4] = {};
  for (int i = 0; i < 2; ++i) multiply_add_tf32(sum, of_a, of_b);
  for (int i = 0; i < 4; ++i)
    c[static_cast<int>(threadIdx.x) / 32 * 128 + (g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum[i];
}

std::vector<float> twice_the_product(const std::vector<float>& a, const std::vector<float>& b) {
  const Cuda gpu;
  const Buffer<Cuda, float> on_a(gpu, a), on_b(gpu, b), c(gpu, 2, 128);
  launch(gpu, {.threads = 64}, multiply_kernel, on_a.view().data, on_b.view().data, c.view().data);
  return c.to_host();
}

TEST(SimulatedTensorCore, MultipliesFragmentsUnderEverySchedule) {
  std::vector<float> a(128), b(64), product(128);
  for (int i = 0; i < 128; ++i) a[i] = static_cast<float>(i % 13 - 6);
  for (int i = 0; i < 64; ++i) b[i] = static_cast<float>(i % 7 - 3);
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column)
      for (int k = 0; k < 8; ++k) product[row * 8 + column] += 2 * a[row * 8 + k] * b[k * 8 + column];
  std::vector<float> of_two_warps = product;
  of_two_warps.insert(of_two_warps.end(), product.begin(), product.end());
  const std::uint64_t before = simt::counts.products;
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule) EXPECT_EQ(twice_the_product(a, b), of_two_warps);
  simt::schedule = 0;
  EXPECT_EQ(simt::counts.products - before, 6u * 2 * 2);
}

TEST(SimulatedTensorCore, DropsTheLowBits) {
  std::vector<float> a(128), b(64);
  a[0] = 1 + 0x1p-10f + 0x1p-11f;
  a[8] = std::bit_cast<float>(0x7f800001u);
  b[0] = b[1] = 1;
  b[1] += 0x1p-11f + 0x1p-23f;
  const std::vector<float> product = twice_the_product(a, b);
  EXPECT_EQ(product[0], 2 * (1 + 0x1p-10f));
  EXPECT_EQ(product[1], 2 * (1 + 0x1p-10f));
  EXPECT_TRUE(std::isinf(product[8])) << "a NaN of which nothing else is left";
}

void multiply_in_half_a_warp_kernel() {
  float sum[4] = {}, a[4] = {}, b[2] = {};
  multiply_add_tf32(sum, a, b);
}
void multiply_in_some_lanes_kernel() {
  if (threadIdx.x < 9) multiply_in_half_a_warp_kernel();
}
TEST(SimulatedTensorCore, RefusesProductsThatNotAllLanesReach) {
  EXPECT_THROW(launch(Cuda(), {.threads = 16}, multiply_in_half_a_warp_kernel), simt::Error);
  EXPECT_THROW(launch(Cuda(), {.threads = 32}, multiply_in_some_lanes_kernel), simt::Error);
}

void multiply_in_two_places_kernel() {
  if (threadIdx.x < 16)
    multiply_in_half_a_warp_kernel();
  else {
    float sum[4] = {}, a[4] = {}, b[2] = {};
    multiply_add_tf32(sum, a, b);
  }
}
void multiply_or_wait_kernel() {
  if (threadIdx.x < 16)
    multiply_in_half_a_warp_kernel();
  else
    __syncwarp();
}
TEST(SimulatedTensorCore, RefusesLanesThatMeetInDifferentProductsOrElsewhere) {
  EXPECT_THROW(launch(Cuda(), {.threads = 32}, multiply_in_two_places_kernel), simt::Error);
  EXPECT_THROW(launch(Cuda(), {.threads = 32}, multiply_or_wait_kernel), simt::Error);
}

/// Every lane reads `stride` floats behind the one before it, twice, then the warp multiplies; and once more.
void read_fragments_kernel(int stride) {
  const float* shared = dynamic_shared<float>();
  for (int i = 0; i < 2; ++i) {
    const float first = load_fragment(shared + static_cast<int>(threadIdx.x) * stride), second = load_fragment(shared);
    float sum[4] = {}, a[4] = {first}, b[2] = {second};
    multiply_add_tf32(sum, a, b);
  }
}
TEST(SimulatedTensorCore, CountsTurnsOfReadsThatMeetInABank) {
  const auto conflicts = [](int stride) {
    const std::uint64_t before = simt::counts.bank_conflicts;
    launch(Cuda(), {.threads = 32, .shared_bytes = 32 * 32 * sizeof(float)}, read_fragments_kernel, stride);
    return simt::counts.bank_conflicts - before;
  };
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule) {
    EXPECT_EQ(conflicts(1), 0u);
    EXPECT_EQ(conflicts(0), 0u) << "one word for all";
    EXPECT_EQ(conflicts(2), 2u * 1);
    EXPECT_EQ(conflicts(8), 2u * 7);
    EXPECT_EQ(conflicts(32), 2u * 31);
  }
  simt::schedule = 0;
}

void read_in_some_lanes_kernel() {
  float sum[4] = {}, a[4] = {}, b[2] = {};
  if (threadIdx.x < 9) b[0] = load_fragment(dynamic_shared<float>());
  multiply_add_tf32(sum, a, b);
}
TEST(SimulatedTensorCore, RefusesFragmentsThatOnlySomeLanesRead) {
  EXPECT_THROW(launch(Cuda(), {.threads = 32, .shared_bytes = 128}, read_in_some_lanes_kernel), simt::Error);
}

enum class Wait { kNever, kTooLate, kInTime, kWithoutBarrier };

/// to[quad t] = from[quad t] of the thread at the other end of the block; every fourth is left out.
void copy_kernel(const float* from, float* to, Wait wait) {
  float* shared = dynamic_shared<float>();
  const int t = static_cast<int>(threadIdx.x), other = static_cast<int>(blockDim.x) - 1 - t;
  copy_quad_async(shared + 4 * t, from + 4 * t, t % 4 != 0);
  if (wait == Wait::kInTime || wait == Wait::kWithoutBarrier) wait_for_copies();
  if (wait != Wait::kWithoutBarrier) __syncthreads();
  for (int i = 0; i < 4; ++i) to[4 * t + i] = shared[4 * other + i];
  if (wait != Wait::kTooLate) return;
  __syncthreads();
  wait_for_copies();
}

std::vector<float> copied(Wait wait) {
  constexpr int kThreads = 96;
  const Cuda gpu;
  std::vector<float> values(4 * kThreads);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  const Buffer<Cuda, float> from(gpu, values), to(gpu, 1, 4 * kThreads);
  launch(gpu, {.threads = kThreads, .shared_bytes = 16 * kThreads}, copy_kernel, from.view().data, to.view().data,
         wait);
  return to.to_host();
}

TEST(SimulatedTensorCore, CopiesLandWhenTheyAreWaitedFor) {
  const std::uint64_t before = simt::counts.copied_bytes;
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule) {
    const std::vector<float> values = copied(Wait::kInTime);
    for (int i = 0; i < 384; ++i) {
      const int source = 95 - i / 4;
      ASSERT_EQ(values[i], source % 4 == 0 ? 0 : 4 * source + i % 4 + 1) << i;
    }
  }
  EXPECT_EQ(simt::counts.copied_bytes - before, 6u * 72 * 16);
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule) {
    EXPECT_TRUE(std::isnan(copied(Wait::kTooLate)[7]));
    EXPECT_NE(copied(Wait::kWithoutBarrier), copied(Wait::kInTime));
    EXPECT_THROW(copied(Wait::kNever), simt::Error);
  }
  simt::schedule = 0;
}

void copy_at_kernel(const float* from, int offset, int shared_offset) {
  copy_quad_async(dynamic_shared<float>() + shared_offset, from + offset, true);
  wait_for_copies();
}
TEST(SimulatedTensorCore, RefusesCopiesOfWrongAddresses) {
  const Cuda gpu;
  const Buffer<Cuda, float> from(gpu, 1, 16);
  const auto copy_at = [&](int offset, int shared_offset) {
    launch(gpu, {.shared_bytes = 32}, copy_at_kernel, from.view().data, offset, shared_offset);
  };
  EXPECT_NO_THROW(copy_at(4, 4));
  EXPECT_THROW(copy_at(2, 4), simt::Error);
  EXPECT_THROW(copy_at(4, 2), simt::Error);
  EXPECT_THROW(copy_at(4, 8), simt::Error) << "beyond the block's memory";
}

}  // namespace
}  // namespace sparsepush
