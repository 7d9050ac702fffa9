#include "kernels/wire_size.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "kernels/buffer.h"

namespace sparsepush {
namespace {

/// Bytes of `value` with 7 bits in each.
std::int64_t leb128_length(std::int64_t value) {
  std::int64_t bytes = 1;
  while (value >>= 7) ++bytes;
  return bytes;
}

/// The size by the definition, from unpadded indices.
std::int64_t expected_size(const std::vector<std::int64_t>& index, std::int64_t params) {
  std::int64_t gaps = 0, previous = -1;
  for (const std::int64_t i : index) {
    gaps += leb128_length(i - previous - 1);
    previous = i;
  }
  return 8 + 4 + 1 + 4 * static_cast<std::int64_t>(index.size()) + std::min(gaps, (params + 7) / 8);
}

/// wire_sizes of messages given by their unpadded indices.
std::vector<std::int64_t> sizes_of(const RowLayout& layout, const std::vector<std::vector<std::int64_t>>& messages) {
  const Cpu cpu(2);
  std::vector<std::int32_t> row_position;
  for (const Segment& s : layout.segments) {
    for (std::int64_t j = 0; j < s.size; ++j) row_position.push_back(static_cast<std::int32_t>(s.begin + j));
  }
  const int nodes = static_cast<int>(messages.size()), columns = static_cast<int>(layout.params);
  Buffer<Cpu, std::int32_t> position(cpu, nodes + 1, columns);
  Buffer<Cpu, float> value(cpu, nodes + 1, columns);
  std::vector<std::int64_t> entries, size(nodes);
  for (int node = 0; node < nodes; ++node) {
    entries.push_back(static_cast<std::int64_t>(messages[node].size()));
    for (std::size_t i = 0; i < messages[node].size(); ++i)
      position.view().row(node)[i] = row_position[messages[node][i]];
  }
  wire_sizes(cpu, layout, Messages{position.view(), value.view()}, entries, size);
  return size;
}

TEST(WireSizes, CountGapsOfUnpaddedIndicesOrTheBitmap) {
  std::mt19937 generator(1);
  for (const std::vector<std::int64_t>& sizes : std::vector<std::vector<std::int64_t>>{
           {1}, {3, 5, 1, 1, 130}, {16, 16, 10}, {1000, 7, 1000, 40000}, {5, 128, 129, 16385}}) {
    const RowLayout layout = make_row_layout(sizes);
    std::vector<std::vector<std::int64_t>> messages = {{}, {0}, {layout.params - 1}};
    for (const int divisor : {1, 2, 5, 9, 150, 3000}) {
      messages.emplace_back();
      for (std::int64_t i = 0; i < layout.params; ++i) {
        if (generator() % divisor == 0) messages.back().push_back(i);
      }
    }
    std::vector<std::int64_t> wanted;
    for (const auto& message : messages) wanted.push_back(expected_size(message, layout.params));
    EXPECT_EQ(sizes_of(layout, messages), wanted) << layout.params;
  }
}

TEST(WireSizes, GrowAtTheBordersOfGapLengths) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3, 20000});  // a bitmap never pays
  const auto size_of = [&](std::int64_t first, std::int64_t second) { return sizes_of(layout, {{first, second}})[0]; };
  EXPECT_EQ(size_of(0, 128), 13 + 8 + 2);
  EXPECT_EQ(size_of(0, 129), 13 + 8 + 3);
  EXPECT_EQ(size_of(127, 200), 13 + 8 + 2);
  EXPECT_EQ(size_of(128, 200), 13 + 8 + 3);
  EXPECT_EQ(size_of(2, 2 + 16384), 13 + 8 + 3);
  EXPECT_EQ(size_of(2, 2 + 16385), 13 + 8 + 4);
}

TEST(WireSizes, RefuseListsOfAnotherLength) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{4});
  const Cpu cpu(1);
  Buffer<Cpu, std::int32_t> position(cpu, 1, 4);
  Buffer<Cpu, float> value(cpu, 1, 4);
  const std::vector<std::int64_t> entries = {1, 1};
  std::vector<std::int64_t> one(1), two(2);
  const Messages messages{position.view(), value.view()};
  EXPECT_THROW(wire_sizes(cpu, layout, messages, entries, one), std::invalid_argument);
  EXPECT_THROW(wire_sizes(cpu, layout, messages, entries, two), std::invalid_argument);
}

TEST(WireSizeBound, IsReachedByNoMessageButExceededByNone) {
  for (const std::int64_t params : {1, 2, 7, 8, 9, 16}) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{params});
    for (std::uint32_t chosen = 0; chosen<(1u << params); chosen += params> 9 ? 257 : 1) {
      std::vector<std::int64_t> index;
      for (std::int64_t i = 0; i < params; ++i) {
        if (chosen >> i & 1) index.push_back(i);
      }
      EXPECT_LE(expected_size(index, params), wire_size_bound(params, static_cast<std::int64_t>(index.size())));
    }
  }
  EXPECT_EQ(wire_size_bound(269722, 1), 13 + 4 + 3);
  EXPECT_EQ(wire_size_bound(269722, 100000), 13 + 400000 + 33716);
  EXPECT_EQ(wire_size_bound(100, 0), 13);
}

TEST(Leb128Bytes, GrowEverySevenBits) {
  for (int bit = 0; bit < 32; ++bit) {
    EXPECT_EQ(leb128_bytes(1u << bit), 1 + bit / 7) << bit;
    EXPECT_EQ(leb128_bytes((1u << bit) - 1), bit == 0 ? 1 : 1 + (bit - 1) / 7) << bit;
  }
}

}  // namespace
}  // namespace sparsepush
