// That the bytes of messages without indices are those of an encoding: messages are encoded here, and decoded to every
// bit of q. A header of u (f64), entries (u32) and the encoding (u8), then, little-endian: 2 shared seed: the values; 3
// levels and 4 signs: for each tensor its norm or scale (f32), and codes from the lowest bit on, padded to a byte; 5
// factors: for each tensor its values, or P and Q row by row.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

#include "host/recipe/compressors.h"
#include "kernels/messages/low_rank.h"
#include "kernels/messages/wire_size.h"
#include "tests/kernels/messages/factored_messages.h"
#include "tests/kernels/messages/quantized_messages.h"
#include "tests/kernels/messages/wire_bytes.h"
#include "tests/random_values.h"

namespace sparsepush {
namespace {

RowLayout layout_of(const std::vector<std::pair<int, int>>& shapes) {
  std::vector<std::int64_t> sizes;
  for (const auto& [rows, columns] : shapes) sizes.push_back(std::int64_t{rows} * columns);
  RowLayout layout = make_row_layout(sizes);
  for (std::size_t s = 0; s < shapes.size(); ++s) layout.segments[s].rows = shapes[s].first;
  return layout;
}

MessageBytes bytes_of(const std::string& compressor, const AlgorithmConfig& algorithm, const RowLayout& layout) {
  return row_named(compressors(), "algorithm.compressor", compressor).bytes(algorithm, layout);
}

Bytes header(std::size_t entries, int encoding) {
  Bytes bytes;
  put(bytes, 1.5);
  put(bytes, static_cast<std::uint32_t>(entries));
  put(bytes, static_cast<std::uint8_t>(encoding));
  return bytes;
}

/// What stands behind it.
std::span<const std::byte> behind_header(const Bytes& bytes) { return std::span(bytes).subspan(13); }

void put_codes(Bytes& bytes, const std::vector<std::uint32_t>& codes, int bits) {
  std::vector<std::uint8_t> packed((codes.size() * bits + 7) / 8);
  for (std::size_t i = 0; i < codes.size(); ++i)
    for (int b = 0; b < bits; ++b)
      packed[(i * bits + b) / 8] |= static_cast<std::uint8_t>((codes[i] >> b & 1u) << (i * bits + b) % 8);
  for (const std::uint8_t byte : packed) put(bytes, byte);
}

std::vector<std::uint32_t> take_codes(std::span<const std::byte>& bytes, std::size_t count, int bits) {
  std::vector<std::uint8_t> packed;
  for (std::size_t i = 0; i < (count * bits + 7) / 8; ++i) packed.push_back(take<std::uint8_t>(bytes));
  std::vector<std::uint32_t> codes(count);
  for (std::size_t i = 0; i < count; ++i)
    for (int b = 0; b < bits; ++b) codes[i] |= (packed[(i * bits + b) / 8] >> (i * bits + b) % 8 & 1u) << b;
  return codes;
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(a[i]), std::bit_cast<std::uint32_t>(b[i])) << i;
}

const std::vector<std::vector<std::pair<int, int>>> kShapes = {{{1, 1}}, {{7, 1}, {8, 1}, {9, 3}}, {{100, 10}, {5, 1}}};

std::vector<float> tensor_of(const Segment& segment, std::mt19937& random) {
  std::vector<float> v = random_values(segment.size, random);
  v[0] = -0.0f;
  return v;
}

TEST(CompressedWire, LevelsComeBackAsTheyWere) {
  std::mt19937 random(1);
  for (const auto& [levels, bits] : {std::pair{1, 2}, {2, 3}, {3, 3}, {4, 4}, {127, 8}, {128, 9}, {65535, 17}})
    for (const auto& shapes : kShapes) {
      const RowLayout layout = layout_of(shapes);
      const LevelSettings settings{.levels = levels};
      Bytes bytes = header(layout.params, 3);
      std::vector<std::vector<float>> sent;
      for (const Segment& segment : layout.segments) {
        const QuantizedTensor tensor = levels_of(tensor_of(segment, random), segment.begin, settings);
        sent.push_back(q_of(tensor, settings));
        put(bytes, tensor.scale);
        std::vector<std::uint32_t> codes;
        for (std::size_t j = 0; j < tensor.level.size(); ++j) codes.push_back(tensor.level[j] * 2 + tensor.negative[j]);
        put_codes(bytes, codes, bits);
      }
      AlgorithmConfig algorithm;
      algorithm.levels = levels;
      EXPECT_EQ(bytes_of("qsgd", algorithm, layout).wire, std::ssize(bytes)) << levels;
      std::span<const std::byte> rest = behind_header(bytes);
      for (std::size_t s = 0; s < sent.size(); ++s) {
        QuantizedTensor tensor{.scale = take<float>(rest), .level = {}, .negative = {}};
        for (const std::uint32_t code : take_codes(rest, sent[s].size(), bits)) {
          tensor.level.push_back(static_cast<int>(code / 2));
          tensor.negative.push_back(code % 2 == 1);
        }
        expect_same_bits(q_of(tensor, settings), sent[s]);
      }
      EXPECT_TRUE(rest.empty());
    }
}

TEST(CompressedWire, SignsComeBackAsTheyWere) {
  std::mt19937 random(2);
  for (const auto& shapes : kShapes) {
    const RowLayout layout = layout_of(shapes);
    Bytes bytes = header(layout.params, 4);
    std::vector<std::vector<float>> sent;
    for (const Segment& segment : layout.segments) {
      const QuantizedTensor tensor = signs_of(tensor_of(segment, random));
      sent.push_back(q_of(tensor));
      put(bytes, tensor.scale);
      put_codes(bytes, {tensor.negative.begin(), tensor.negative.end()}, 1);
    }
    EXPECT_EQ(bytes_of("sign", {}, layout).wire, std::ssize(bytes));
    std::span<const std::byte> rest = behind_header(bytes);
    for (const std::vector<float>& q : sent) {
      QuantizedTensor tensor{.scale = take<float>(rest), .level = {}, .negative = {}};
      for (const std::uint32_t code : take_codes(rest, q.size(), 1)) tensor.negative.push_back(code == 1);
      expect_same_bits(q_of(tensor), q);
    }
    EXPECT_TRUE(rest.empty());
  }
}

TEST(CompressedWire, FactorsComeBackAsTheyWere) {
  std::mt19937 random(3);
  const RowLayout layout = layout_of({{9, 1}, {7, 8}, {2, 2}, {30, 12}});
  AlgorithmConfig algorithm;
  algorithm.rank = 3;
  const LowRankPlan plan = make_low_rank_plan(layout, algorithm.rank);
  Bytes bytes = header(plan.values, 5);
  std::vector<std::vector<float>> sent;
  for (const LowRankTensor& tensor : plan.tensors) {
    const std::vector<float> m = random_values(tensor.elements(), random);
    std::vector<float> w = random_values(tensor.columns * tensor.rank, random), values = m;
    sent.push_back(m);
    if (tensor.rank > 0) {
      const Factors f = factors_of(m, static_cast<int>(tensor.rows), static_cast<int>(tensor.columns),
                                   static_cast<int>(tensor.rank), w);
      sent.back() = product_of(f);
      values = f.p;
      values.insert(values.end(), f.q.begin(), f.q.end());
    }
    for (const float value : values) put(bytes, value);
  }
  EXPECT_EQ(bytes_of("low_rank", algorithm, layout).wire, std::ssize(bytes));
  std::span<const std::byte> rest = behind_header(bytes);
  for (std::size_t s = 0; s < sent.size(); ++s) {
    const LowRankTensor& tensor = plan.tensors[s];
    const auto floats = [&](std::int64_t count) {
      std::vector<float> values;
      for (std::int64_t i = 0; i < count; ++i) values.push_back(take<float>(rest));
      return values;
    };
    if (tensor.rank == 0) {
      expect_same_bits(floats(tensor.elements()), sent[s]);
      continue;
    }
    Factors f{static_cast<int>(tensor.rows), static_cast<int>(tensor.columns), static_cast<int>(tensor.rank), {}, {}};
    f.p = floats(tensor.rows * tensor.rank);
    f.q = floats(tensor.columns * tensor.rank);
    expect_same_bits(product_of(f), sent[s]);
  }
  EXPECT_TRUE(rest.empty());
}

/// Positions follow from seed and round, which receivers know.
TEST(CompressedWire, EntriesOfASharedSeedAreTheirValues) {
  const RowLayout layout = layout_of({{100, 10}, {5, 1}});
  AlgorithmConfig algorithm;
  algorithm.keep = 0.1;
  for (const int bits : {32, 16}) {
    algorithm.value_bits = bits;
    Bytes bytes = header(101, bits == 16 ? 10 : 2);
    for (int i = 0; i < 101; ++i) {
      if (bits == 16)
        put(bytes, std::uint16_t{0});
      else
        put(bytes, 0.0f);
    }
    EXPECT_EQ(bytes_of("random_k", algorithm, layout).wire, std::ssize(bytes));
  }
}

/// d = 1,005 in tensors of 1,000 and 5; K = 101 at keep 0.1.
TEST(CompressedWire, ConventionsCountAsTheirTablesSay) {
  const RowLayout layout = layout_of({{100, 10}, {5, 1}});
  AlgorithmConfig algorithm;
  algorithm.keep = 0.1;
  const auto expect = [&](const std::string& name, std::int64_t authors, std::int64_t coo32) {
    const MessageBytes bytes = bytes_of(name, algorithm, layout);
    EXPECT_EQ(bytes.authors, authors) << name;
    EXPECT_EQ(bytes.coo32, coo32) << name;
    EXPECT_EQ(bytes.dense, 4 * 1005 + 4) << name;
  };
  expect("top_k", 6 * 101 + 3, 8 * 101 + 4);
  expect("random_k", 4 * 101 + 4, 4 * 101 + 4);
  expect("identity", 4 * 1005 + 4, 4 * 1005 + 4);
  expect("qsgd", 4 + (4 + 1000) + (4 + 5), 4 + (4 + 1000) + (4 + 5));
  expect("sign", 4 + (4 + 125) + (4 + 1), 4 + (4 + 125) + (4 + 1));
  expect("low_rank", 4 + 4 * (2 * 110 + 5), 4 + 4 * (2 * 110 + 5));
  algorithm.value_bits = 16;
  expect("top_k", 4 * 101 + 3, 6 * 101 + 4);
  expect("random_k", 2 * 101 + 4, 2 * 101 + 4);
  EXPECT_EQ(bytes_of("top_k", algorithm, layout).wire, wire_size_bound(1005, 101) - 2 * 101);
}

}  // namespace
}  // namespace sparsepush
