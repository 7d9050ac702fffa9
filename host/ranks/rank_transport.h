// Shards as processes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "host/ranks/ranks.h"
#include "host/transports/transport.h"
#include "kernels/backend/buffer.h"
#include "kernels/messages/row_packets.h"

namespace sparsepush {

/// Packets of rows in backend memory, and where a process sends them from or receives them: on the Cpu the same memory,
/// for a GPU pinned memory of the host.
template <class Backend>
class PacketMemory;

template <>
class PacketMemory<Cpu> {
 public:
  /// Makes room for so many bytes; what stood there is lost.
  void reserve(const Cpu& cpu, std::size_t bytes);
  std::byte* there() const { return there_ ? there_->span().data() : nullptr; }
  std::byte* here() const { return there(); }
  /// Copies bytes from `there` to `here`, and back.
  void bring(std::size_t) {}
  void put(std::size_t) {}

 private:
  std::optional<Buffer<Cpu, std::byte>> there_;
};

template <>
class PacketMemory<Cuda> {
 public:
  void reserve(const Cuda& gpu, std::size_t bytes);
  std::byte* there() const { return there_ ? there_->span().data() : nullptr; }
  std::byte* here() const { return here_.get(); }
  void bring(std::size_t bytes);
  void put(std::size_t bytes);

 private:
  struct Release {
    void operator()(std::byte* p) const noexcept { release_pinned(p); }
  };
  std::unique_ptr<std::byte, Release> here_;
  std::optional<Buffer<Cuda, std::byte>> there_;
};

/// The end of the shard that has this process's rank; `ranks` must outlive it. On a GPU rows travel while ops run. On
/// the Cpu an exchange is over when it has been started: meanwhile MPI would move what is short, and nothing else.
template <class Backend>
class RankTransport final : public Transport<Backend> {
 public:
  RankTransport(Ranks& ranks, int replicas, int nodes)
      : ranks_(ranks), shard_{ranks.rank(), ranks.count(), replicas, nodes} {}
  /// Within an exchange, leaves its packets where they are: MPI may go on with them while this process tells others why
  /// it fails.
  ~RankTransport() override;

  const Shard& shard() const override { return shard_; }
  void start_exchange(const Backend& backend, std::span<const ExchangedArray> arrays, const Halo& halo) override;
  bool overlaps() const override { return kOverlaps && shard_.shards > 1; }
  void finish_exchange() override;
  void send(int to, std::span<const std::byte> bytes) override { ranks_.send(to, bytes); }
  void receive(int from, std::span<std::byte> bytes) override { ranks_.receive(from, bytes); }
  using Transport<Backend>::broadcast;
  void broadcast(std::span<std::byte> bytes) override { ranks_.broadcast(bytes); }
  void barrier() override { ranks_.barrier(); }

  /// Returns how many bytes exchanges have sent.
  std::int64_t sent_row_bytes() const { return sent_row_bytes_; }

 private:
  static constexpr bool kOverlaps = std::is_same_v<Backend, Cuda>;

  void start(const std::vector<Parcel>& sent, const std::vector<Parcel>& received);
  /// Waits for what was started, and unpacks it.
  void complete();

  Ranks& ranks_;
  Shard shard_;
  PacketMemory<Backend> sent_, received_;
  // Of the exchange that has been started:
  const Backend* unpacks_ = nullptr;  ///< packets that arrive; null where rows travel as they stand in memory
  std::vector<PacketArray> halos_;
  std::size_t received_bytes_ = 0;  ///< of packets
  bool is_under_way_ = false;
  std::int64_t sent_row_bytes_ = 0;
};

}  // namespace sparsepush
