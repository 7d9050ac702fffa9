// Rows of several arrays as packets, one a row, which is how they travel between processes.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"

namespace sparsepush {

inline constexpr int kMostPacketArrays = 8;

/// An array whose rows travel, in backend memory: row r begins at rows + r * row_bytes.
struct PacketArray {
  std::byte* rows = nullptr;   ///< at a multiple of packet_word(row_bytes) bytes; null only if there is no packet
  std::int64_t row_bytes = 0;  ///< a positive multiple of 4
};

/// Returns the bytes that rows are copied by: the largest of 16, 8 and 4 that divides a row's.
constexpr int packet_word(std::int64_t row_bytes) {
  if (row_bytes % 16 == 0) return 16;
  return row_bytes % 8 == 0 ? 8 : 4;
}

/// Returns the bytes of a packet. It holds one row of every array, one behind the other: of the arrays with words of 16
/// bytes first, then of those with 8, then of those with 4, arrays with the same in the order of the list; and zeros up
/// to a multiple of 16 bytes. Throws std::invalid_argument if there are no arrays, too many, or rows of other sizes.
std::int64_t packet_bytes(std::span<const PacketArray> arrays);

/// Arguments of `pack_rows` and `unpack_rows`.
struct RowPackets {
  std::span<const PacketArray> arrays;     ///< the list is in host memory
  std::span<const std::int32_t> row = {};  ///< [packets] in backend memory: which row of every array a packet holds;
                                           ///< empty: packet p holds row first_row + p
  int first_row = 0;                       ///< 0 if rows are listed
  std::span<std::byte> packets = {};       ///< [packets, packet_bytes(arrays)] in backend memory, 16-byte aligned
};

/// Copies rows to packets; zeros at their ends are written too. A row may be in several packets. Backends agree
/// exactly, whatever the bytes stand for.
void pack_rows(const Cpu& cpu, const RowPackets& rows);
void pack_rows(const Cuda& gpu, const RowPackets& rows);

/// Copies packets to rows, no row twice; rows of no packet stay as they are, and what stands in the place of the zeros
/// does not matter. Backends agree exactly.
void unpack_rows(const Cpu& cpu, const RowPackets& rows);
void unpack_rows(const Cuda& gpu, const RowPackets& rows);

/// Checks the shapes and alignments above; which rows are named is not looked at.
void check_row_packets_shapes(const RowPackets& rows);

/// Returns the row of every array that a packet holds.
constexpr std::int64_t row_of(const RowPackets& rows, std::int64_t packet) {
  return rows.row.empty() ? rows.first_row + packet : rows.row[packet];
}

/// A part of every packet: a row of one array, or the zeros.
struct PacketPart {
  std::byte* rows = nullptr;  ///< of the array; null of the zeros
  std::int64_t begin = 0;     ///< bytes of the packet before it
  std::int64_t bytes = 0;
  std::int64_t words = 0;  ///< the same in words
  int word_bytes = 4;
};

/// A packet's parts, in their order.
struct PacketParts {
  std::array<PacketPart, kMostPacketArrays + 1> part;
  int count = 0;
  std::int64_t bytes = 0;  ///< of a packet
};

/// Returns the parts that packet_bytes describes; throws as it does.
PacketParts packet_parts(std::span<const PacketArray> arrays);

}  // namespace sparsepush
