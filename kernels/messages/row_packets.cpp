#include "kernels/messages/row_packets.h"

#include <algorithm>
#include <cstring>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"

namespace sparsepush {
namespace {

constexpr int kAlignment = 16;  // bytes, of packets

void append(PacketParts& parts, std::byte* rows, std::int64_t bytes, int word_bytes) {
  parts.part[parts.count++] = {
      .rows = rows, .begin = parts.bytes, .bytes = bytes, .words = bytes / word_bytes, .word_bytes = word_bytes};
  parts.bytes += bytes;
}

bool is_aligned(const std::byte* p, int bytes) { return reinterpret_cast<std::uintptr_t>(p) % bytes == 0; }

/// Calls body(part, packet, begin, end) for bytes [begin, end) of parts, such that each byte of all packets has its
/// turn once; in parallel, over small packets and over pieces of large ones.
template <class Body>
void for_each_piece(const Cpu& cpu, const RowPackets& rows, const Body& body) {
  constexpr std::int64_t kItemBytes = 64 * 1024;  // of neighbouring packets: enough to outweigh handing them out
  const PacketParts parts = packet_parts(rows.arrays);
  const std::int64_t all_bytes = std::ssize(rows.packets);
  cpu.pool().run(divide_up(all_bytes, kItemBytes), [&](std::int64_t item, int) {
    const std::int64_t item_begin = item * kItemBytes, item_end = std::min(item_begin + kItemBytes, all_bytes);
    for (std::int64_t packet = item_begin / parts.bytes; packet * parts.bytes < item_end; ++packet)
      for (const PacketPart& part : std::span(parts.part).first(parts.count)) {
        const std::int64_t at = packet * parts.bytes + part.begin;
        const std::int64_t begin = std::max<std::int64_t>(item_begin - at, 0),
                           end = std::min(item_end - at, part.bytes);
        if (begin < end) body(part, packet, begin, end);
      }
  });
}

}  // namespace

PacketParts packet_parts(std::span<const PacketArray> arrays) {
  CHECK(!arrays.empty() && arrays.size() <= kMostPacketArrays, "arrays ", arrays.size());
  for (const PacketArray& array : arrays)
    CHECK(array.row_bytes > 0 && array.row_bytes % 4 == 0, "a row of ", array.row_bytes, " bytes");
  PacketParts parts;
  for (const int word_bytes : {16, 8, 4})
    for (const PacketArray& array : arrays)
      if (packet_word(array.row_bytes) == word_bytes) append(parts, array.rows, array.row_bytes, word_bytes);
  const std::int64_t zeros = rounded_up(parts.bytes, kAlignment) - parts.bytes;
  if (zeros > 0) append(parts, nullptr, zeros, 4);
  return parts;
}

std::int64_t packet_bytes(std::span<const PacketArray> arrays) { return packet_parts(arrays).bytes; }

void check_row_packets_shapes(const RowPackets& rows) {
  const std::int64_t bytes = packet_bytes(rows.arrays), all_bytes = std::ssize(rows.packets);
  CHECK(all_bytes % bytes == 0 && is_aligned(rows.packets.data(), kAlignment), "packets ", all_bytes, " bytes at ",
        rows.packets.data(), ", each of ", bytes);
  CHECK(rows.row.empty() || std::ssize(rows.row) == all_bytes / bytes, "rows [", rows.row.size(), "], packets ",
        all_bytes / bytes);
  CHECK(rows.row.empty() ? rows.first_row >= 0 : rows.first_row == 0, "first row ", rows.first_row, ", rows [",
        rows.row.size(), "]");
  for (const PacketArray& array : rows.arrays)
    CHECK((array.rows != nullptr || rows.packets.empty()) && is_aligned(array.rows, packet_word(array.row_bytes)),
          "rows of ", array.row_bytes, " bytes at ", array.rows);
}

void pack_rows(const Cpu& cpu, const RowPackets& rows) {
  check_row_packets_shapes(rows);
  const std::int64_t bytes = packet_bytes(rows.arrays);
  for_each_piece(cpu, rows, [&](const PacketPart& part, std::int64_t packet, std::int64_t begin, std::int64_t end) {
    std::byte* const to = rows.packets.data() + packet * bytes + part.begin + begin;
    if (part.rows == nullptr)
      std::memset(to, 0, end - begin);
    else
      std::memcpy(to, part.rows + row_of(rows, packet) * part.bytes + begin, end - begin);
  });
}

void unpack_rows(const Cpu& cpu, const RowPackets& rows) {
  check_row_packets_shapes(rows);
  const std::int64_t bytes = packet_bytes(rows.arrays);
  for_each_piece(cpu, rows, [&](const PacketPart& part, std::int64_t packet, std::int64_t begin, std::int64_t end) {
    if (part.rows == nullptr) return;
    std::memcpy(part.rows + row_of(rows, packet) * part.bytes + begin,
                rows.packets.data() + packet * bytes + part.begin + begin, end - begin);
  });
}

}  // namespace sparsepush
