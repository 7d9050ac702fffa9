// That `add_traffic` counts the sizes of an encoding: messages are encoded here, and decoded again.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

#include "kernels/messages/round_values.h"
#include "kernels/messages/traffic.h"
#include "kernels/messages/wire_size.h"
#include "tests/kernels/messages/wire_bytes.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

/// A message with unpadded indices.
struct Message {
  double u = 1;                     ///< the sender's push-sum weight
  std::vector<std::int32_t> index;  ///< [entries] increasing
  std::vector<float> value;         ///< [entries]
  int value_bits = 32;              ///< 16: values are bfloat16
};

Bytes gaps_of(const std::vector<std::int32_t>& index) {
  Bytes gaps;
  std::int64_t next = 0;
  for (const std::int32_t i : index) {
    auto gap = static_cast<std::uint32_t>(i - next);
    for (; gap >= 0x80; gap >>= 7) put(gaps, static_cast<std::uint8_t>(gap | 0x80));
    put(gaps, static_cast<std::uint8_t>(gap));
    next = std::int64_t{i} + 1;
  }
  return gaps;
}

Bytes bitmap_of(const std::vector<std::int32_t>& index, std::int64_t params) {
  Bytes bitmap((params + 7) / 8);
  for (const std::int32_t i : index) bitmap[i / 8] |= std::byte{1} << i % 8;
  return bitmap;
}

/// As wire_size.h says; with values of 16 bits the encoding is 8 more.
Bytes encode(const Message& message, std::int64_t params) {
  const Bytes gaps = gaps_of(message.index);
  const bool as_bitmap = std::ssize(gaps) > (params + 7) / 8;
  Bytes bytes;
  put(bytes, message.u);
  put(bytes, static_cast<std::uint32_t>(message.index.size()));
  put(bytes, static_cast<std::uint8_t>(as_bitmap + (message.value_bits == 16 ? 8 : 0)));
  std::ranges::copy(as_bitmap ? bitmap_of(message.index, params) : gaps, std::back_inserter(bytes));
  for (const float value : message.value) {
    if (message.value_bits == 32)
      put(bytes, value);
    else
      put(bytes, static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
  }
  return bytes;
}

/// The inverse, of what `encode` has written.
Message decode(std::span<const std::byte> bytes, std::int64_t params) {
  Message message;
  message.u = take<double>(bytes);
  const auto entries = take<std::uint32_t>(bytes);
  const auto encoding = take<std::uint8_t>(bytes);
  message.value_bits = encoding >= 8 ? 16 : 32;
  if (encoding % 8 == 1) {
    for (std::int64_t i = 0; i < params; ++i)
      if ((bytes[i / 8] >> i % 8 & std::byte{1}) != std::byte{0}) message.index.push_back(static_cast<std::int32_t>(i));
    bytes = bytes.subspan((params + 7) / 8);
  } else {
    for (std::int64_t next = 0; message.index.size() < entries; ++next) {
      std::uint8_t byte = 0x80;
      for (int shift = 0; byte >= 0x80; shift += 7) {
        byte = take<std::uint8_t>(bytes);
        next += std::int64_t{byte & 0x7f} << shift;
      }
      message.index.push_back(static_cast<std::int32_t>(next));
    }
  }
  for (std::uint32_t i = 0; i < entries; ++i)
    message.value.push_back(message.value_bits == 32
                                ? take<float>(bytes)
                                : std::bit_cast<float>(std::uint32_t{take<std::uint16_t>(bytes)} << 16));
  EXPECT_TRUE(bytes.empty());
  return message;
}

void expect_comes_back(const Message& message, std::int64_t params) {
  const Message back = decode(encode(message, params), params);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(message.u), std::bit_cast<std::uint64_t>(back.u));
  EXPECT_EQ(message.index, back.index);
  EXPECT_EQ(message.value_bits, back.value_bits);
  const auto same_bits = [](float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
  };
  EXPECT_TRUE(std::ranges::equal(message.value, back.value, same_bits));
}

Message random_message(std::int64_t params, std::int64_t entries, std::mt19937& random) {
  std::vector<std::int32_t> all(params);
  for (std::int64_t i = 0; i < params; ++i) all[i] = static_cast<std::int32_t>(i);
  Message message;
  message.u = std::ldexp(static_cast<double>(random()), -31);
  std::sample(all.begin(), all.end(), std::back_inserter(message.index), entries, random);
  for (std::int64_t i = 0; i < entries; ++i) message.value.push_back(static_cast<float>(random()) - 2e9f);
  return message;
}

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(WireEncoding, MessagesComeBackAsTheyWere) {
  std::mt19937 random(1);
  for (const std::int64_t params : {0, 1, 7, 8, 9, 127, 128, 129, 130, 1000, 16383, 16384, 16385, 40000}) {
    for (const double keep : {0.0, 0.001, 0.01, 0.06, 0.12, 0.125, 0.13, 0.5, 0.99, 1.0}) {
      const auto entries = static_cast<std::int64_t>(std::ceil(keep * static_cast<double>(params)));
      expect_comes_back(random_message(params, entries, random), params);
    }
  }
}

TEST(WireEncoding, ValuesOf16BitsTakeTwoBytesLessEach) {
  std::mt19937 random(4);
  for (const std::int64_t entries : {0, 1, 30, 900}) {
    Message message = random_message(1000, entries, random);
    const std::int64_t whole = std::ssize(encode(message, 1000));
    message.value_bits = 16;
    for (float& value : message.value) value = round_to_bfloat16(value);
    expect_comes_back(message, 1000);
    EXPECT_EQ(std::ssize(encode(message, 1000)), whole - 2 * entries);
  }
}

TEST(WireEncoding, AGapsMessageIsTheseBytes) {
  const Message message = {.u = 1, .index = {0, 1, 300}, .value = {1, -2, 0.5f}};
  EXPECT_EQ(encode(message, 301), bytes_of({0, 0, 0,    0,    0, 0, 0xf0, 0x3f, 3, 0, 0, 0,   0, 0, 0, 0xaa, 0x02,  //
                                            0, 0, 0x80, 0x3f, 0, 0, 0,    0xc0, 0, 0, 0, 0x3f}));
}

TEST(WireEncoding, ABitmapMessageIsTheseBytes) {
  const Message message = {.u = -0.0, .index = {0, 3, 8}, .value = {0, 0, 0}};
  EXPECT_EQ(encode(message, 9), bytes_of({0, 0, 0, 0, 0, 0, 0, 0x80, 3, 0, 0, 0, 1, 0x09, 0x01,  //
                                          0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0}));
}

TEST(WireEncoding, GapsAreTakenIfEqual) {
  const Message message = {.u = 1, .index = {2, 5}, .value = {1, 1}};
  EXPECT_EQ(encode(message, 16)[12], std::byte{0});
  EXPECT_EQ(encode(message, 8)[12], std::byte{1});
}

TEST(WireEncoding, GapsOfEverySizeComeBack) {
  const std::int64_t params = std::numeric_limits<std::int32_t>::max();
  for (const std::int32_t gap : {0, 127, 128, 16383, 16384, (1 << 21) - 1, 1 << 21, (1 << 28) - 1, 1 << 28})
    expect_comes_back({.u = 1, .index = {gap, 2 * gap + 1}, .value = {1, 2}}, params);
  expect_comes_back({.u = 1, .index = {std::numeric_limits<std::int32_t>::max() - 1}, .value = {1}}, params);
}

TEST(WireEncoding, HardValuesKeepTheirBits) {
  const float inf = INFINITY;
  expect_comes_back(
      {.u = std::nan("7"), .index = {0, 1, 2, 3, 4, 5}, .value = {0.0f, -0.0f, inf, -inf, std::nanf("5"), 1e-45f}},
      1000);
}

TEST(WireEncoding, SizesAreThoseCountedWithoutEncoding) {
  const Cpu cpu = tested_cpu(2);
  std::mt19937 random(3);
  const std::vector<std::vector<std::int64_t>> shapes = {{1},        {8}, {1, 1, 1}, {3, 5, 4, 127}, {129, 1, 1000},
                                                         {40'001, 2}};
  for (const auto& sizes : shapes) {
    const RowLayout layout = make_row_layout(sizes);
    for (const double keep : {0.0, 0.001, 0.05, 0.124, 0.126, 1.0}) {
      constexpr int kNodes = 5;
      const auto entries = static_cast<std::int64_t>(std::ceil(keep * static_cast<double>(layout.params)));
      std::vector<std::int32_t> position;
      std::vector<std::int64_t> expected;
      for (int node = 0; node < kNodes; ++node) {
        const Message message = random_message(layout.params, entries, random);
        expected.push_back(std::ssize(encode(message, layout.params)));
        for (const std::int32_t index : message.index) {
          std::int64_t segment = 0, before = 0;  // before: parameters of the segments before this one
          while (index >= before + sizes[segment]) before += sizes[segment++];
          position.push_back(static_cast<std::int32_t>(layout.segments[segment].begin + index - before));
        }
        EXPECT_LE(expected.back(), wire_size_bound(layout.params, entries));
      }
      std::vector<float> value(position.size());
      const int cols = static_cast<int>(entries);
      const Messages messages = {{position.data(), kNodes, cols}, {value.data(), kNodes, cols}};
      const std::vector<std::int64_t> kept(kNodes, entries), copies(kNodes, 1);
      const std::vector<MessageBytes> each(1);
      std::vector<std::int64_t> sent(kSentCounts * kNodes);
      add_traffic(cpu, {.copies = copies, .each = each, .sent = {sent.data(), kSentCounts, kNodes}},
                  {layout, messages, kept});
      EXPECT_EQ(std::vector<std::int64_t>(&sent[kWireBytes * kNodes], &sent[(kWireBytes + 1) * kNodes]), expected)
          << layout.params << " parameters, " << entries << " entries";
    }
  }
}

}  // namespace
}  // namespace sparsepush
