#include "kernels/backend/cuda_launch.h"
#include "kernels/messages/row_packets.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

template <bool kPack, class Word>
__device__ void copy_as(std::byte* row, std::byte* packed) {
  if (kPack)
    *reinterpret_cast<Word*>(packed) = *reinterpret_cast<const Word*>(row);
  else
    *reinterpret_cast<Word*>(row) = *reinterpret_cast<const Word*>(packed);
}

/// Copies a word of a row to its place in a packet, or back.
template <bool kPack>
__device__ void copy_word(std::byte* row, std::byte* packed, int bytes) {
  if (bytes == 16)
    copy_as<kPack, float4>(row, packed);
  else if (bytes == 8)
    copy_as<kPack, std::int64_t>(row, packed);
  else
    copy_as<kPack, std::int32_t>(row, packed);
}

/// A thread per word of a packet, in strides of the grid. A packet has `words`, of 16, 8 or 4 bytes as the arrays' rows
/// allow, and of 4 in the zeros. Neighbouring threads have neighbouring words, so that a large packet is spread over
/// blocks and small ones share a block. Every stride is as many packets and words: a thread divides only before the
/// first.
template <bool kPack>
__global__ void copy_rows_kernel(RowPackets rows, PacketParts parts, std::int64_t packets, std::int64_t words) {
  const std::int64_t stride_packets = grid_threads() / words, stride_words = grid_threads() % words;
  std::int64_t packet = grid_thread() / words, word = grid_thread() % words;
  while (packet < packets) {
    int p = 0;
    std::int64_t word_of_part = word;
    while (word_of_part >= parts.part[p].words) word_of_part -= parts.part[p++].words;
    const PacketPart& part = parts.part[p];
    const std::int64_t at = word_of_part * part.word_bytes;
    std::byte* const packed = rows.packets.data() + packet * parts.bytes + part.begin + at;
    if (kPack && part.rows == nullptr)
      *reinterpret_cast<std::int32_t*>(packed) = 0;
    else
      copy_word<kPack>(part.rows + row_of(rows, packet) * part.bytes + at, packed, part.word_bytes);
    packet += stride_packets;
    word += stride_words;
    if (word >= words) {
      word -= words;
      ++packet;
    }
  }
}

template <bool kPack>
void copy_rows(const Cuda& gpu, const RowPackets& rows) {
  check_row_packets_shapes(rows);
  const PacketParts parts = packet_parts(rows.arrays);
  const std::int64_t packets = std::ssize(rows.packets) / parts.bytes;
  if (packets == 0) return;
  std::int64_t words = 0;
  for (const PacketPart& part : parts.part)
    if (kPack || part.rows != nullptr) words += part.words;  // zeros are not unpacked
  launch(gpu, thread_each(gpu, packets * words, kThreads), copy_rows_kernel<kPack>, rows, parts, packets, words);
}

}  // namespace

void pack_rows(const Cuda& gpu, const RowPackets& rows) { copy_rows<true>(gpu, rows); }

void unpack_rows(const Cuda& gpu, const RowPackets& rows) { copy_rows<false>(gpu, rows); }

}  // namespace sparsepush
