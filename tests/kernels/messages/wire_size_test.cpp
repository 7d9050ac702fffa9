#include "kernels/messages/wire_size.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/messages/traffic.h"
#include "tests/backends.h"

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

/// Unpadded indices of each node's message.
using MessageIndices = std::vector<std::vector<std::int64_t>>;

/// What add_traffic counts of messages in slots one more than nodes, `columns` entries wide.
template <class Backend>
std::vector<std::int64_t> sizes_of(const Backend& backend, const RowLayout& layout, const MessageIndices& messages,
                                   int columns) {
  std::vector<std::int32_t> row_position;
  for (const Segment& s : layout.segments) {
    for (std::int64_t j = 0; j < s.size; ++j) row_position.push_back(static_cast<std::int32_t>(s.begin + j));
  }
  const int nodes = static_cast<int>(messages.size());
  std::vector<std::int32_t> position(static_cast<std::size_t>(nodes + 1) * columns, 0x7fff'ffff);
  std::vector<std::int64_t> count;
  for (int node = 0; node < nodes; ++node) {
    count.push_back(static_cast<std::int64_t>(messages[node].size()));
    for (std::size_t i = 0; i < messages[node].size(); ++i)
      position[static_cast<std::size_t>(node) * columns + i] = row_position[messages[node][i]];
  }
  const Buffer<Backend, std::int32_t> position_there(backend, nodes + 1, columns, position);
  const Buffer<Backend, float> value(backend, nodes + 1, columns);
  const Buffer<Backend, std::int64_t> entries(backend, count), sent(backend, kSentCounts, nodes),
      copies(backend, std::vector<std::int64_t>(nodes, 1));
  const Buffer<Backend, MessageBytes> each(backend, std::vector<MessageBytes>(1));
  add_traffic(backend, {.copies = copies.span(), .each = each.span(), .sent = sent.view()},
              {.layout = layout_on(backend, layout),
               .messages = Messages{position_there.view(), value.view()},
               .entries = entries.span()});
  const std::vector<std::int64_t> counts = sent.to_host();
  return {counts.begin() + kWireBytes * nodes, counts.begin() + (kWireBytes + 1) * nodes};
}

template <class Backend>
void expect_sizes(const RowLayout& layout, const MessageIndices& messages, const std::vector<std::int64_t>& wanted) {
  std::size_t columns = 0;
  for (const auto& message : messages) columns = std::max(columns, message.size());
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    EXPECT_EQ(sizes_of(backend, layout, messages, static_cast<int>(columns)), wanted) << layout.params;
  });
}

template <class Backend>
void expect_definition(const RowLayout& layout, const MessageIndices& messages) {
  std::vector<std::int64_t> wanted;
  for (const auto& message : messages) wanted.push_back(expected_size(message, layout.params));
  expect_sizes<Backend>(layout, messages, wanted);
}

template <class Backend>
class WireSizesOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(WireSizesOn, Backends);

TYPED_TEST(WireSizesOn, CountGapsOfUnpaddedIndicesOrTheBitmap) {
  std::mt19937 generator(1);
  for (const std::vector<std::int64_t>& sizes : std::vector<std::vector<std::int64_t>>{
           {1}, {3, 5, 1, 1, 130}, {16, 16, 10}, {1000, 7, 1000, 40000}, {5, 128, 129, 16385}}) {
    const RowLayout layout = make_row_layout(sizes);
    MessageIndices messages = {{}, {0}, {layout.params - 1}};
    for (const int divisor : {1, 2, 5, 9, 150, 3000}) {
      messages.emplace_back();
      for (std::int64_t i = 0; i < layout.params; ++i) {
        if (generator() % divisor == 0) messages.back().push_back(i);
      }
    }
    expect_definition<TypeParam>(layout, messages);
  }
}

/// More messages than blocks of any launch.
TYPED_TEST(WireSizesOn, AreCountedForManyShortMessages) {
  std::mt19937 generator(2);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1000, 1, 1, 30, 400});
  MessageIndices messages(230);
  for (auto& message : messages) {
    std::set<std::int64_t> chosen;
    for (unsigned i = generator() % 6; i > 0; --i) chosen.insert(generator() % layout.params);
    message.assign(chosen.begin(), chosen.end());
  }
  expect_definition<TypeParam>(layout, messages);
}

TYPED_TEST(WireSizesOn, OfEveryLengthAroundWarpsAndBlocks) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{30001, 270000});  // a bitmap never pays
  MessageIndices messages;
  for (const int entries : {1, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2049}) {
    messages.emplace_back();
    for (int i = 0; i < entries; ++i) messages.back().push_back(i * 140);
    expect_definition<TypeParam>(layout, {messages.back()});
  }
  expect_definition<TypeParam>(layout, messages);
}

TYPED_TEST(WireSizesOn, GrowAtTheBordersOfGapLengths) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3, 20000});  // a bitmap never pays
  expect_sizes<TypeParam>(layout, {{0, 128}, {0, 129}, {127, 200}, {128, 200}, {2, 2 + 16384}, {2, 2 + 16385}},
                          {13 + 8 + 2, 13 + 8 + 3, 13 + 8 + 2, 13 + 8 + 3, 13 + 8 + 3, 13 + 8 + 4});
}

TEST(WireSizes, RefuseListsOfAnotherLength) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{4});
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, std::int32_t> position(cpu, 1, 4);
  Buffer<Cpu, float> value(cpu, 1, 4);
  const std::vector<std::int64_t> entries = {1, 1};
  const std::vector<std::int64_t> one(1), two(2);
  const std::vector<MessageBytes> each(1);
  for (const std::vector<std::int64_t>& copies : {one, two}) {
    std::vector<std::int64_t> sent(kSentCounts * copies.size());
    const Traffic traffic{
        .copies = copies, .each = each, .sent = {sent.data(), kSentCounts, static_cast<int>(copies.size())}};
    EXPECT_THROW(add_traffic(cpu, traffic, {layout, Messages{position.view(), value.view()}, entries}),
                 std::invalid_argument);
  }
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
