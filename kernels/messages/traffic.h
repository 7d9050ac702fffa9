// Counts what nodes send: messages, and their bytes by every convention.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/messages/messages.h"
#include "kernels/nodes/cuda_layout.h"
#include "kernels/nodes/due.h"

namespace sparsepush {

/// Bytes of one message by the conventions that papers and public code count with, and on the wire.
struct MessageBytes {
  std::int64_t authors = 0;  ///< of sparse messages 6 K + 3: 4-byte value, 2-byte index
  std::int64_t coo32 = 0;    ///< of sparse messages 8 K + 4: 4-byte value, 4-byte index
  std::int64_t wire = 0;     ///< as encoded; where messages differ in it, a bound
  std::int64_t dense = 0;    ///< 4 d + 4: all parameters and u, whatever is sent
  friend bool operator==(const MessageBytes&, const MessageBytes&) = default;
};

/// What is counted: the rows of an array [kSentCounts, nodes].
enum SentCount { kMessagesSent, kAuthorsBytes, kCoo32Bytes, kWireBytes, kDenseBytes, kSentCounts };

/// Arguments of `add_traffic`, in backend memory.
struct Traffic {
  std::span<const std::int64_t> copies;  ///< [nodes] messages that each node sends, all alike
  std::span<const MessageBytes> each;    ///< [replicas] of one message; row i is of replica i / (nodes / replicas)
  MatrixView<std::int64_t> sent;         ///< [kSentCounts, nodes] added to
  Due due = {};
};

/// Adds up what is sent: sent[c, i] += copies[i] * what one message counts by c, of nodes whose replica is due.
/// Backends agree exactly.
void add_traffic(const Cpu& cpu, const Traffic& traffic);
void add_traffic(const Cuda& gpu, const Traffic& traffic);

/// Sparse messages, whose bytes on the wire differ, in the memory of `Backend`.
template <class Backend>
struct SizedMessagesOf {
  const LayoutOn<Backend>& layout;
  ConstMessages messages;                 ///< [slots >= nodes, kept]; the first rows are the local nodes'
  std::span<const std::int64_t> entries;  ///< [nodes] how many entries of each message count
};

/// Adds up the same, but with the size of node i's message on the wire added to `each`'s `wire`. Backends agree
/// exactly.
void add_traffic(const Cpu& cpu, const Traffic& traffic, const SizedMessagesOf<Cpu>& messages);
void add_traffic(const Cuda& gpu, const Traffic& traffic, const SizedMessagesOf<Cuda>& messages);

/// Checks the shapes above.
void check_traffic_shapes(const Traffic& traffic);
void check_traffic_shapes(const Traffic& traffic, const ConstMessages& messages, std::span<const std::int64_t> entries);

/// Returns the replica of row i.
constexpr std::int64_t replica_of(const Traffic& traffic, std::int64_t i) {
  return i / (traffic.sent.cols / std::ssize(traffic.each));
}

/// Returns what one message of node i counts.
constexpr const MessageBytes& bytes_of(const Traffic& traffic, std::int64_t i) {
  return traffic.each[replica_of(traffic, i)];
}

/// Adds what node i sends, of `wire` bytes each.
constexpr void add_sent(const Traffic& traffic, std::int64_t i, std::int64_t wire) {
  if (!is_due(traffic.due, replica_of(traffic, i))) return;
  const MessageBytes& each = bytes_of(traffic, i);
  const std::int64_t copies = traffic.copies[i];
  traffic.sent.row(kMessagesSent)[i] += copies;
  traffic.sent.row(kAuthorsBytes)[i] += copies * each.authors;
  traffic.sent.row(kCoo32Bytes)[i] += copies * each.coo32;
  traffic.sent.row(kWireBytes)[i] += copies * wire;
  traffic.sent.row(kDenseBytes)[i] += copies * each.dense;
}

}  // namespace sparsepush
