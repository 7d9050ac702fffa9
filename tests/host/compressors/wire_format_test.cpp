#include "host/compressors/wire_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>

#include "data/files/input_error.h"
#include "kernels/messages/wire_size.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

WireMessage random_message(std::int64_t params, std::int64_t entries, std::mt19937& random) {
  std::vector<std::int32_t> all(params);
  for (std::int64_t i = 0; i < params; ++i) all[i] = static_cast<std::int32_t>(i);
  WireMessage message;
  message.u = std::ldexp(static_cast<double>(random()), -31);
  std::sample(all.begin(), all.end(), std::back_inserter(message.index), entries, random);
  for (std::int64_t i = 0; i < entries; ++i) message.value.push_back(static_cast<float>(random()) - 2e9f);
  return message;
}

/// The definition: 13 bytes, 4 a value, and the smaller of 7-bit groups of gaps and one bit a parameter.
std::size_t naive_size(const WireMessage& message, std::int64_t params) {
  std::size_t gaps = 0, bitmap = 0;
  for (std::size_t entry = 0; entry < message.index.size(); ++entry) {
    long gap = entry == 0 ? message.index[0] : message.index[entry] - message.index[entry - 1] - 1;
    do {
      ++gaps;
      gap /= 128;
    } while (gap > 0);
  }
  for (std::int64_t i = 0; i < params; i += 8) ++bitmap;
  return 8 + 4 + 1 + 4 * message.index.size() + std::min(gaps, bitmap);
}

void expect_same(const WireMessage& a, const WireMessage& b) {
  EXPECT_EQ(std::memcmp(&a.u, &b.u, sizeof a.u), 0);
  EXPECT_EQ(a.index, b.index);
  ASSERT_EQ(a.value.size(), b.value.size());
  if (!a.value.empty()) {
    EXPECT_EQ(std::memcmp(a.value.data(), b.value.data(), a.value.size() * sizeof(float)), 0);
  }
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(WireFormat, MessagesComeBackAsTheyWere) {
  std::mt19937 random(1);
  for (const std::int64_t params : {0, 1, 7, 8, 9, 127, 128, 129, 130, 1000, 16383, 16384, 16385, 40000}) {
    for (const double keep : {0.0, 0.001, 0.01, 0.06, 0.12, 0.125, 0.13, 0.5, 0.99, 1.0}) {
      const auto entries = static_cast<std::int64_t>(std::ceil(keep * static_cast<double>(params)));
      const WireMessage message = random_message(params, entries, random);
      const auto bytes = encode_message(message, params);
      EXPECT_EQ(bytes.size(), naive_size(message, params)) << params << " parameters, " << entries << " entries";
      expect_same(decode_message(bytes, params), message);
    }
  }
}

TEST(WireFormat, AGapsMessageIsTheseBytes) {
  const WireMessage message = {.u = 1, .index = {0, 1, 300}, .value = {1, -2, 0.5f}};
  EXPECT_EQ(encode_message(message, 301),
            bytes_of({0, 0, 0,    0,    0, 0, 0xf0, 0x3f, 3, 0, 0, 0,   0, 0, 0, 0xaa, 0x02,  //
                      0, 0, 0x80, 0x3f, 0, 0, 0,    0xc0, 0, 0, 0, 0x3f}));
}

TEST(WireFormat, ABitmapMessageIsTheseBytes) {
  const WireMessage message = {.u = -0.0, .index = {0, 3, 8}, .value = {0, 0, 0}};
  EXPECT_EQ(encode_message(message, 9), bytes_of({0, 0, 0, 0, 0, 0, 0, 0x80, 3, 0, 0, 0, 1, 0x09, 0x01,  //
                                                  0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0}));
}

TEST(WireFormat, GapsAreTakenIfEqual) {
  const WireMessage message = {.u = 1, .index = {2, 5}, .value = {1, 1}};
  EXPECT_EQ(encode_message(message, 16)[12], std::byte{0});
  EXPECT_EQ(encode_message(message, 8)[12], std::byte{1});
}

TEST(WireFormat, GapsOfEverySizeComeBack) {
  const std::int64_t params = std::numeric_limits<std::int32_t>::max();
  for (const std::int32_t gap : {0, 127, 128, 16383, 16384, (1 << 21) - 1, 1 << 21, (1 << 28) - 1, 1 << 28}) {
    const WireMessage message = {.u = 1, .index = {gap, 2 * gap + 1}, .value = {1, 2}};
    const auto bytes = encode_message(message, params);
    EXPECT_EQ(bytes.size(), naive_size(message, params));
    expect_same(decode_message(bytes, params), message);
  }
  const WireMessage last = {.u = 1, .index = {std::numeric_limits<std::int32_t>::max() - 1}, .value = {1}};
  expect_same(decode_message(encode_message(last, params), params), last);
}

TEST(WireFormat, HardValuesKeepTheirBits) {
  const float inf = INFINITY;
  const WireMessage message = {
      .u = std::nan("7"), .index = {0, 1, 2, 3, 4, 5}, .value = {0.0f, -0.0f, inf, -inf, std::nanf("5"), 1e-45f}};
  expect_same(decode_message(encode_message(message, 1000), 1000), message);
}

TEST(WireFormat, ImpossibleMessagesAreNotEncoded) {
  EXPECT_THROW(encode_message({.u = 1, .index = {1, 1}, .value = {1, 1}}, 8), std::invalid_argument);
  EXPECT_THROW(encode_message({.u = 1, .index = {2, 1}, .value = {1, 1}}, 8), std::invalid_argument);
  EXPECT_THROW(encode_message({.u = 1, .index = {-1}, .value = {1}}, 8), std::invalid_argument);
  EXPECT_THROW(encode_message({.u = 1, .index = {8}, .value = {1}}, 8), std::invalid_argument);
  EXPECT_THROW(encode_message({.u = 1, .index = {1}, .value = {}}, 8), std::invalid_argument);
  EXPECT_THROW(encode_message({}, -1), std::invalid_argument);
  EXPECT_THROW(decode_message({}, std::int64_t{1} << 31), std::invalid_argument);
}

/// u = 0, entries, encoding, then `rest`.
std::vector<std::byte> raw_message(std::uint32_t entries, int encoding, std::initializer_list<int> rest) {
  std::vector<std::byte> bytes(8);
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::byte>(entries >> shift & 0xff));
  bytes.push_back(static_cast<std::byte>(encoding));
  for (const int value : rest) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(WireFormat, WhatTheEncoderCannotWriteIsRefused) {
  EXPECT_NO_THROW(decode_message(raw_message(1, 0, {5, 0, 0, 0, 0}), 300));
  EXPECT_NO_THROW(decode_message(raw_message(0, 0, {}), 0));
  EXPECT_NO_THROW(decode_message(raw_message(2, 1, {3, 0, 0, 0, 0, 0, 0, 0, 0}), 8));
  EXPECT_THROW(decode_message({}, 300), InputError);
  EXPECT_THROW(decode_message(raw_message(1, 0, {5, 0, 0, 0}), 300), InputError) << "truncated";
  EXPECT_THROW(decode_message(raw_message(1, 0, {5, 0, 0, 0, 0, 0}), 300), InputError) << "trailing byte";
  EXPECT_THROW(decode_message(raw_message(0, 2, {}), 300), InputError) << "encoding 2";
  EXPECT_THROW(decode_message(raw_message(0xffffffff, 0, {0, 0, 0, 0, 0}), 300), InputError) << "entries > params";
  EXPECT_THROW(decode_message(raw_message(300, 0, {0, 0, 0, 0, 0}), 300), InputError) << "entries > bytes";
  EXPECT_THROW(decode_message(raw_message(1, 0, {5, 0, 0, 0, 0}), 5), InputError) << "index = params";
  EXPECT_THROW(decode_message(raw_message(1, 0, {0x85, 0, 0, 0, 0, 0}), 300), InputError) << "gap of 5 in two bytes";
  EXPECT_THROW(decode_message(raw_message(1, 0, {0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0, 0, 0}), 300), InputError);
  EXPECT_THROW(decode_message(raw_message(1, 0, {0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}), 300), InputError);
  EXPECT_THROW(decode_message(raw_message(2, 0, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), 8), InputError) << "bitmap is smaller";
  EXPECT_THROW(decode_message(raw_message(1, 1, {1, 0, 0, 0, 0}), 8), InputError) << "gaps are as small";
  EXPECT_THROW(decode_message(raw_message(2, 1, {7, 0, 0, 0, 0, 0, 0, 0, 0}), 8), InputError) << "three bits";
  EXPECT_THROW(decode_message(raw_message(2, 1, {1, 0, 0, 0, 0, 0, 0, 0, 0}), 8), InputError) << "one bit";
  EXPECT_THROW(decode_message(raw_message(2, 1, {0x81, 0, 0, 0, 0, 0, 0, 0, 0}), 7), InputError) << "bit beyond";
}

TEST(WireFormat, MutatedBytesAreRefusedOrCanonical) {
  int accepted = 0, refused = 0;
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    std::mt19937 random(seed);
    const std::int64_t params = 1 + random() % 300;
    auto bytes = encode_message(random_message(params, random() % (params + 1), random), params);
    for (unsigned changes = 1 + random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 4));
    try {
      EXPECT_EQ(encode_message(decode_message(bytes, params), params), bytes) << "seed " << seed;
      ++accepted;
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(refused, 300);
}

TEST(WireFormat, SizesAreThoseCountedWithoutEncoding) {
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
        const WireMessage message = random_message(layout.params, entries, random);
        expected.push_back(static_cast<std::int64_t>(encode_message(message, layout.params).size()));
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
      std::vector<std::int64_t> size(kNodes);
      wire_sizes(cpu, layout, messages, std::vector<std::int64_t>(kNodes, entries), size);
      EXPECT_EQ(size, expected) << layout.params << " parameters, " << entries << " entries";
    }
  }
}

TEST(WireFormat, ConventionsCountAsTheirAuthorsDo) {
  const MessageBytes bytes = sparse_message_bytes(269'722, 300);
  EXPECT_EQ(bytes.authors, 1803);
  EXPECT_EQ(bytes.coo32, 2404);
  EXPECT_EQ(bytes.dense, 1'078'892);
  EXPECT_EQ(sparse_message_bytes(3'000'000'000, 1).dense, 12'000'000'004);
}

}  // namespace
}  // namespace sparsepush
