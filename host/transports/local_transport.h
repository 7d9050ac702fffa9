// Shards as threads of one process.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "host/transports/transport.h"

namespace sparsepush {

/// What the shards of one process share: a meeting point and what each shows to the others there.
class LocalMeeting {
 public:
  explicit LocalMeeting(int shards) : shards_(shards), shown_(shards) {}

  /// Returns when all shards have arrived; throws TransportAborted once one has aborted.
  void wait();
  /// Makes every present and future `wait` throw.
  void abort();

  /// Returns what shard `shard` shows; to be set before a `wait` and read between that one and the next.
  const void*& shown(int shard) { return shown_[shard]; }

 private:
  const int shards_;
  std::vector<const void*> shown_;
  std::mutex mutex_;
  std::condition_variable all_here_;
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
  void exchange(const Backend& backend, std::span<const ExchangedArray> arrays, std::span<const NodeId> halo) override;
  void sum_in_order(std::span<double> sums, const std::function<void(std::span<double>)>& add) override;
  void gather(std::span<const double> local, std::span<double> global) override;
  void barrier() override;
  bool broadcast(bool value) override;

 private:
  Shard shard_of(int index) const { return {index, shard_.shards, shard_.replicas, shard_.all_nodes}; }

  LocalMeeting& meeting_;
  Shard shard_;
};

}  // namespace sparsepush
