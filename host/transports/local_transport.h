// Shards as threads of one process.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "host/transports/transport.h"

namespace sparsepush {

/// What the shards of one process share: a meeting point, what each shows to the others there, and the bytes that one
/// has for another.
class LocalMeeting {
 public:
  explicit LocalMeeting(int shards)
      : shards_(shards), shown_(shards), offered_(static_cast<std::size_t>(shards) * shards) {}

  // All waits throw TransportAborted once a shard has aborted.

  /// Returns when all shards have arrived.
  void wait();
  /// Returns when shard `to` has taken the bytes.
  void send(int from, int to, std::span<const std::byte> bytes);
  /// Takes the bytes once shard `from` offers them; throws std::invalid_argument if these are fewer or more.
  void receive(int from, int to, std::span<std::byte> bytes);
  /// Makes every present and future wait throw.
  void abort();

  /// Returns what shard `shard` shows; to be set before a `wait` and read between that one and the next.
  const void*& shown(int shard) { return shown_[shard]; }

 private:
  struct Offer {
    std::span<const std::byte> bytes;
    bool stands = false;
  };
  /// Sleeps until `holds` or abort().
  template <class Condition>
  void wait_until(std::unique_lock<std::mutex>& lock, const Condition& holds);
  Offer& offer(int from, int to) { return offered_[static_cast<std::size_t>(from) * shards_ + to]; }

  const int shards_;
  std::vector<const void*> shown_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Offer> offered_;  ///< [from, to]
  int here_ = 0;
  std::uint64_t meetings_ = 0;
  bool aborted_ = false;
};

/// One shard's end. The meeting must outlive it.
template <class Backend>
class LocalTransport final : public Transport<Backend> {
 public:
  LocalTransport(LocalMeeting& meeting, const Shard& shard) : meeting_(meeting), shard_(shard) {}

  const Shard& shard() const override { return shard_; }
  void start_exchange(const Backend& backend, std::span<const ExchangedArray> arrays, const Halo& halo) override;
  void finish_exchange() override;
  void send(int to, std::span<const std::byte> bytes) override { meeting_.send(shard_.index, to, bytes); }
  void receive(int from, std::span<std::byte> bytes) override { meeting_.receive(from, shard_.index, bytes); }
  using Transport<Backend>::broadcast;
  void broadcast(std::span<std::byte> bytes) override;
  void barrier() override;

 private:
  /// What is exchanged; the other shards read it there.
  struct Exchange {
    const Backend* backend = nullptr;
    std::vector<ExchangedArray> arrays;
    const Halo* halo = nullptr;
  };

  LocalMeeting& meeting_;
  Shard shard_;
  Exchange exchange_;
};

}  // namespace sparsepush
