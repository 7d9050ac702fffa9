// The counter of memory traffic, on kernels whose accesses are known.
#include "tests/simt/memory_traffic.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/simt/access_kernels.h"

namespace sparsepush {
namespace {

constexpr std::uint64_t kSector = simt::kSectorBytes;

/// An array of `count` elements of the GPU.
template <class T>
Buffer<Cuda, T> zeros(const Cuda& gpu, int count) {
  return Buffer<Cuda, T>(gpu, std::vector<T>(count));
}

template <class Body>
simt::Traffic traffic_of_one(const Body& body) {
  const std::vector<simt::Traffic> launches = simt::traffic_of(body);
  EXPECT_EQ(launches.size(), 1u);
  return launches.at(0);
}

void expect(const simt::Requests& actual, std::uint64_t useful, std::uint64_t sectors, std::uint64_t requests) {
  EXPECT_EQ(actual.useful, useful);
  EXPECT_EQ(actual.asked, sectors * kSector);
  EXPECT_EQ(actual.count(), requests);
}

TEST(MemoryTraffic, OfNeighbouringLanesIsWhatTheyUse) {
  const Cuda gpu;
  const auto from = zeros<float>(gpu, 1024), to = zeros<float>(gpu, 1024);
  const simt::Traffic t = traffic_of_one([&] { copy_strided(gpu, from.span(), to.span(), 0, 1); });
  expect(t.read, 4096, 128, 32);
  expect(t.write, 4096, 128, 32);
  EXPECT_EQ(t.read.transferred, 4096u);
  EXPECT_EQ(t.read.narrow, 32u);
  EXPECT_EQ(t.launch.grid.x, 4u);
}

TEST(MemoryTraffic, OfStridesIsASectorEach) {
  const Cuda gpu;
  const auto from = zeros<float>(gpu, 8 * 256), to = zeros<float>(gpu, 256);
  const simt::Traffic apart = traffic_of_one([&] { copy_strided(gpu, from.span(), to.span(), 0, 8); });
  expect(apart.read, 1024, 256, 8);
  const simt::Traffic every_other = traffic_of_one([&] { copy_strided(gpu, from.span(), to.span(), 0, 2); });
  expect(every_other.read, 1024, 64, 8);
}

TEST(MemoryTraffic, OfMisalignedLanesIsASectorMoreARequest) {
  const Cuda gpu;
  const auto from = zeros<float>(gpu, 300), to = zeros<float>(gpu, 256);
  const simt::Traffic t = traffic_of_one([&] { copy_strided(gpu, from.span(), to.span(), 1, 1); });
  expect(t.read, 1024, 8 * 5, 8);
}

TEST(MemoryTraffic, OfWhatAllLanesReadIsOneSectorARequestAndOneABlock) {
  const Cuda gpu;
  const auto from = zeros<float>(gpu, 512), to = zeros<float>(gpu, 512);
  const simt::Traffic t = traffic_of_one([&] { add_first(gpu, from.span(), to.span()); });
  expect(t.read, 16 * (4 + 128), 16 * (1 + 4), 32);
  EXPECT_EQ(t.read.transferred, (64u + 1) * kSector);  // the second block does not know the first one's
}

TEST(MemoryTraffic, TellsWidths) {
  const Cuda gpu;
  const auto from = zeros<float>(gpu, 1024), to = zeros<float>(gpu, 1024);
  const simt::Traffic quads = traffic_of_one([&] { copy_quads(gpu, from.span(), to.span()); });
  expect(quads.read, 4096, 128, 8);
  expect(quads.write, 4096, 128, 8);
  EXPECT_EQ(quads.read.widest, 8u);
  EXPECT_EQ(quads.write.widest, 8u);
  const auto wide_from = zeros<double>(gpu, 256), wide_to = zeros<double>(gpu, 256);
  const simt::Traffic pairs = traffic_of_one([&] { copy_pairs(gpu, wide_from.span(), wide_to.span()); });
  expect(pairs.read, 2048, 64, 8);
  EXPECT_EQ(pairs.read.wide, 8u);
  EXPECT_EQ(pairs.write.wide, 8u);
}

TEST(MemoryTraffic, LetsLanesMeetBehindLoopsOfUnequalLengths) {
  const Cuda gpu;
  std::vector<std::int32_t> counts(32);
  for (int i = 0; i < 32; ++i) counts[i] = i % 5;
  const Buffer<Cuda, std::int32_t> count(gpu, counts);
  const auto rows = zeros<float>(gpu, 5 * 32), to = zeros<float>(gpu, 32);
  const simt::Traffic t = traffic_of_one([&] { sum_columns(gpu, rows.span(), count.span(), to.span()); });
  expect(t.write, 128, 4, 1);
  const std::uint64_t elements = std::accumulate(counts.begin(), counts.end(), 0u);
  expect(t.read, 4 * (32 + elements), 4 + 4 * 4, 1 + 4);  // the counts, then each of four rows
}

TEST(MemoryTraffic, CountsAnArrayThatIsReadTwiceTwice) {
  const Cuda gpu;
  const int large = 64 * 1024, small = 2048;
  const auto from = zeros<float>(gpu, large), to = zeros<float>(gpu, large);
  const simt::Traffic t = traffic_of_one([&] { subtract_sums(gpu, from.span(), to.span()); });
  EXPECT_EQ(t.read.transferred, 2u * 4 * large);
  EXPECT_EQ(t.write.transferred, 4u * large);
  const simt::Traffic cached =
      traffic_of_one([&] { subtract_sums(gpu, from.span().first(small), to.span().first(small)); });
  EXPECT_EQ(cached.read.asked, 2u * 4 * small);
  EXPECT_EQ(cached.read.transferred, 4u * small);
}

TEST(MemoryTraffic, IsOfTheGpusMemoryOnly) {
  const Cuda gpu;
  const auto to = zeros<float>(gpu, 1);
  const simt::Traffic t = traffic_of_one([&] { use_other_memory(gpu, to.span().data()); });
  expect(t.read, 0, 0, 0);
  expect(t.write, 4, 1, 1);
}

TEST(MemoryTraffic, OfAtomicsIsAReadAndAWrite) {
  const Cuda gpu;
  const auto from = zeros<float>(gpu, 256), to = zeros<float>(gpu, 1);
  const simt::Traffic t = traffic_of_one([&] { add_atomically(gpu, from.span(), to.span().data()); });
  expect(t.read, 8 * (128 + 4), 8 * (4 + 1), 16);
  expect(t.write, 8 * 4, 8, 8);
}

TEST(MemoryTraffic, IsToldByOneCounterAtATime) {
  const simt::TrafficCounter counter;
  EXPECT_THROW(simt::TrafficCounter(), simt::Error);
}

}  // namespace
}  // namespace sparsepush
