#include "kernels/messages/row_packets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

using Bytes = std::vector<std::byte>;
using Rows = std::vector<std::int32_t>;

Bytes random_bytes(std::size_t size, std::mt19937& generator) {
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(generator() >> 24);
  return bytes;
}

/// Arrays in host memory, each with a row before its first and one behind its last, which are not the op's.
struct HostArrays {
  std::vector<std::int64_t> row_bytes;
  std::vector<Bytes> bytes;

  HostArrays(const std::vector<std::int64_t>& row_bytes, int rows, std::mt19937& generator) : row_bytes(row_bytes) {
    for (const std::int64_t row : row_bytes) bytes.push_back(random_bytes(row * (rows + 2), generator));
  }
  std::byte* row(std::size_t array, int r) { return bytes[array].data() + (r + 1) * row_bytes[array]; }
};

/// Calls visit(array, row, at) for each row of each packet, which begins at `at` of all packets; returns their bytes.
template <class Visit>
std::int64_t visit_packets(const std::vector<std::int64_t>& row_bytes, const Rows& rows, const Visit& visit) {
  std::int64_t at = 0;
  for (const std::int32_t row : rows) {
    for (const int unit : {16, 8, 4})
      for (std::size_t a = 0; a < row_bytes.size(); ++a) {
        if (row_bytes[a] % unit != 0 || (unit < 16 && row_bytes[a] % (2 * unit) == 0)) continue;
        visit(a, row, at);
        at += row_bytes[a];
      }
    while (at % 16 != 0) ++at;
  }
  return at;
}

/// The packets that hold these rows.
Bytes packed(HostArrays arrays, const Rows& rows) {
  Bytes packets(visit_packets(arrays.row_bytes, rows, [](std::size_t, int, std::int64_t) {}));
  visit_packets(arrays.row_bytes, rows, [&](std::size_t a, int row, std::int64_t at) {
    std::copy_n(arrays.row(a, row), arrays.row_bytes[a], packets.begin() + at);
  });
  return packets;
}

/// The arrays after these packets have come.
HostArrays unpacked(HostArrays arrays, const Rows& rows, const Bytes& packets) {
  visit_packets(arrays.row_bytes, rows, [&](std::size_t a, int row, std::int64_t at) {
    std::copy_n(packets.begin() + at, arrays.row_bytes[a], arrays.row(a, row));
  });
  return arrays;
}

/// The same arrays on a backend.
template <class Backend>
class ArraysOn {
 public:
  ArraysOn(const Backend& backend, const HostArrays& arrays) {
    for (std::size_t a = 0; a < arrays.bytes.size(); ++a) {
      memory_.emplace_back(backend, arrays.bytes[a]);
      list_.push_back({memory_[a].span().data() + arrays.row_bytes[a], arrays.row_bytes[a]});
    }
  }
  std::span<const PacketArray> list() const { return list_; }
  std::vector<Bytes> to_host() const {
    std::vector<Bytes> bytes;
    for (const Buffer<Backend, std::byte>& array : memory_) bytes.push_back(array.to_host());
    return bytes;
  }

 private:
  std::vector<Buffer<Backend, std::byte>> memory_;
  std::vector<PacketArray> list_;
};

struct Shape {
  std::vector<std::int64_t> row_bytes;
  int rows = 1;
  int packets = 1;
};

std::ostream& operator<<(std::ostream& os, const Shape& shape) {
  os << shape.packets << " packets, rows " << shape.rows << " x";
  for (const std::int64_t bytes : shape.row_bytes) os << ' ' << bytes;
  return os;
}

/// Rows of all words in any order, smaller than a word of another, packets of less than a thread's word and of many
/// blocks, more words than a grid has threads, in few packets and in many.
std::vector<Shape> shapes() {
  return {{{4}},
          {{8}},
          {{16}},
          {{12}, 2, 2},
          {{12, 8, 16}, 5, 4},
          {{8, 4, 24, 32, 16, 20, 4, 48}, 33, 31},
          {{40, 40, 8}, 300, 257},
          {{4 * 31, 16 * 255, 8 * 33, 16 * 257}, 33, 32},
          {{4 * 255, 4 * 257}, 7, 7},
          {{8, 160'000}, 4, 3},
          {{100'004, 16}, 3, 2},
          {{8}, 7001, 7000},
          {{4, 16}, 6500, 6300}};
}

/// Rows by chance, each of them once.
Rows different_rows(const Shape& shape, std::mt19937& generator) {
  Rows rows(shape.rows);
  std::iota(rows.begin(), rows.end(), 0);
  std::shuffle(rows.begin(), rows.end(), generator);
  rows.resize(shape.packets);
  return rows;
}

TEST(PacketBytes, AreThoseOfARowOfEachArrayUpToAMultipleOf16) {
  const auto bytes_of = [](const std::vector<std::int64_t>& row_bytes) {
    std::vector<PacketArray> arrays;
    for (const std::int64_t bytes : row_bytes) arrays.push_back({.row_bytes = bytes});
    return packet_bytes(arrays);
  };
  EXPECT_EQ(bytes_of({4}), 16);
  EXPECT_EQ(bytes_of({16}), 16);
  EXPECT_EQ(bytes_of({20}), 32);
  EXPECT_EQ(bytes_of({4, 8, 4}), 16);
  EXPECT_EQ(bytes_of({4, 8, 16, 20, 12}), 64);
  EXPECT_EQ(bytes_of({std::int64_t{6} << 30, 8}), (std::int64_t{6} << 30) + 16);
}

template <class Backend>
class RowPacketsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(RowPacketsOn, Backends);

/// Some rows go to several peers, and zeros are written over what stood there.
TYPED_TEST(RowPacketsOn, PacketsHoldTheRowsThatAreListed) {
  std::mt19937 generator(1);
  for (const Shape& shape : shapes()) {
    const HostArrays arrays(shape.row_bytes, shape.rows, generator);
    Rows rows = different_rows(shape, generator);
    for (std::size_t i = 2; i < rows.size(); i += 3) rows[i] = rows[i / 2];
    const Bytes wanted = packed(arrays, rows), before(wanted.size(), std::byte{0xa5});
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const ArraysOn<TypeParam> there(backend, arrays);
      const Buffer<TypeParam, std::int32_t> row(backend, rows);
      const Buffer<TypeParam, std::byte> packets(backend, before);
      pack_rows(backend, {.arrays = there.list(), .row = row.span(), .packets = packets.span()});
      EXPECT_TRUE(packets.to_host() == wanted) << shape;
      EXPECT_TRUE(there.to_host() == arrays.bytes) << shape;
    });
  }
}

/// What is in the place of zeros does not come with them.
TYPED_TEST(RowPacketsOn, UnpackingPutsTheRowsThatAreListedAndLeavesTheRest) {
  std::mt19937 generator(2);
  for (const Shape& shape : shapes()) {
    const HostArrays before(shape.row_bytes, shape.rows, generator);
    const Rows rows = different_rows(shape, generator);
    const Bytes came = random_bytes(packed(before, rows).size(), generator);
    const HostArrays wanted = unpacked(before, rows, came);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const ArraysOn<TypeParam> there(backend, before);
      const Buffer<TypeParam, std::int32_t> row(backend, rows);
      const Buffer<TypeParam, std::byte> packets(backend, came);
      unpack_rows(backend, {.arrays = there.list(), .row = row.span(), .packets = packets.span()});
      EXPECT_TRUE(there.to_host() == wanted.bytes) << shape;
      EXPECT_TRUE(packets.to_host() == came) << shape;
    });
  }
}

TYPED_TEST(RowPacketsOn, RowsThatAreNotListedFollowTheFirst) {
  std::mt19937 generator(3);
  for (const Shape& shape : {Shape{{12, 40}, 6, 3}, Shape{{16 * 129, 8, 8, 4}, 40, 33}, Shape{{4}, 300, 257}}) {
    const int first = shape.rows - shape.packets;
    Rows rows(shape.packets);
    std::iota(rows.begin(), rows.end(), first);
    const HostArrays arrays(shape.row_bytes, shape.rows, generator), other(shape.row_bytes, shape.rows, generator);
    const Bytes wanted = packed(arrays, rows);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const ArraysOn<TypeParam> from(backend, arrays), to(backend, other);
      const Buffer<TypeParam, std::byte> packets(backend, Bytes(wanted.size()));
      pack_rows(backend, {.arrays = from.list(), .first_row = first, .packets = packets.span()});
      EXPECT_TRUE(packets.to_host() == wanted) << shape;
      unpack_rows(backend, {.arrays = to.list(), .first_row = first, .packets = packets.span()});
      EXPECT_TRUE(to.to_host() == unpacked(other, rows, wanted).bytes) << shape;
    });
  }
}

/// Rows of one shard come to other rows of the next, whose arrays begin elsewhere; NaN stay as they are.
TYPED_TEST(RowPacketsOn, EveryBitOfANumberTravels) {
  const std::vector<float> hard = {std::bit_cast<float>(0x7f80'0001u), std::bit_cast<float>(0xffc1'2345u),
                                   std::bit_cast<float>(0x7fff'ffffu), -0.0f,
                                   std::bit_cast<float>(1u),           -std::numeric_limits<float>::infinity()};
  const std::vector<double> weights = {std::bit_cast<double>(std::uint64_t{0x7ff0'0000'0000'0001}), -0.0};
  for (const int columns : {4, 6, 7})
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      std::vector<float> values(2 * columns);
      for (int i = 0; i < 2 * columns; ++i) values[i] = hard[i % hard.size()];
      const Buffer<TypeParam, float> value(backend, 2, columns, values), came(backend, 3, columns);
      const Buffer<TypeParam, double> weight(backend, weights), weight_came(backend, 1, 3);
      const auto list = [&](const Buffer<TypeParam, float>& x, const Buffer<TypeParam, double>& u) {
        return std::vector<PacketArray>{{std::as_writable_bytes(u.span()).data(), 8},
                                        {std::as_writable_bytes(x.span()).data(), 4 * columns}};
      };
      const std::vector<PacketArray> sent = list(value, weight), received = list(came, weight_came);
      const Buffer<TypeParam, std::int32_t> row(backend, Rows{1, 0});
      const Buffer<TypeParam, std::byte> packets(backend, 2, static_cast<int>(packet_bytes(sent)));
      pack_rows(backend, {.arrays = sent, .row = row.span(), .packets = packets.span()});
      unpack_rows(backend, {.arrays = received, .first_row = 1, .packets = packets.span()});
      const std::vector<float> values_came = came.to_host();
      const std::vector<double> weights_came = weight_came.to_host();
      EXPECT_EQ(std::memcmp(&values_came[columns], &values[columns], 4 * columns), 0);
      EXPECT_EQ(std::memcmp(&values_came[2 * columns], &values[0], 4 * columns), 0);
      EXPECT_EQ(std::memcmp(&weights_came[1], &weights[1], 8), 0);
      EXPECT_EQ(std::memcmp(&weights_came[2], &weights[0], 8), 0);
    });
}

TYPED_TEST(RowPacketsOn, WithoutPacketsNothingIsDone) {
  const TypeParam backend = tested_backend<TypeParam>();
  const std::vector<PacketArray> nowhere = {{nullptr, 16}, {nullptr, 4}};
#if SPARSEPUSH_SIMULATED_CUDA
  const auto before = simt::counts.launches;
#endif
  EXPECT_NO_THROW(pack_rows(backend, {.arrays = nowhere}));
  EXPECT_NO_THROW(unpack_rows(backend, {.arrays = nowhere}));
  backend.synchronize();
#if SPARSEPUSH_SIMULATED_CUDA
  EXPECT_EQ(simt::counts.launches, before);
#endif
}

TYPED_TEST(RowPacketsOn, RefusesOtherShapes) {
  const TypeParam backend = tested_backend<TypeParam>();
  const Buffer<TypeParam, std::byte> memory(backend, 1, 1024), packet_memory(backend, 1, 1024);
  const Buffer<TypeParam, std::int32_t> two(backend, Rows{0, 1});
  const auto refuses = [&](const RowPackets& rows) {
    EXPECT_THROW(pack_rows(backend, rows), std::invalid_argument);
    EXPECT_THROW(unpack_rows(backend, rows), std::invalid_argument);
  };
  std::byte* const at = memory.span().data();
  const std::span<std::byte> packets = packet_memory.span().first(64);
  const std::vector<PacketArray> arrays = {{at, 16}, {at + 512, 4}};
  const RowPackets right{.arrays = arrays, .row = two.span(), .packets = packets};
  EXPECT_NO_THROW(pack_rows(backend, right));
  EXPECT_NO_THROW(unpack_rows(backend, right));

  RowPackets other = right;
  for (const int bytes : {0, 32, 63, 65, 96}) {
    other.packets = packet_memory.span().first(bytes);
    refuses(other);
  }
  other.packets = packet_memory.span().subspan(8, 64);
  refuses(other);
  other = right;
  other.first_row = 1;
  refuses(other);
  refuses({.arrays = arrays, .first_row = -1, .packets = packets});
  refuses({.arrays = arrays, .packets = packets.first(48)});

  const std::vector<PacketArray> many(kMostPacketArrays + 1, {at, 4});
  EXPECT_NO_THROW(packet_bytes(std::span(many).first(kMostPacketArrays)));
  EXPECT_THROW(packet_bytes(many), std::invalid_argument);
  refuses({.arrays = many, .packets = packets});
  EXPECT_THROW(packet_bytes({}), std::invalid_argument);
  for (const PacketArray& wrong :
       {PacketArray{at, 0}, {at, -16}, {at, 6}, {at, 17}, {at + 8, 16}, {at + 4, 8}, {at + 2, 4}, {nullptr, 16}})
    refuses({.arrays = std::span(&wrong, 1), .packets = packets});
}

}  // namespace
}  // namespace sparsepush
