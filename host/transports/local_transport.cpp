#include "host/transports/local_transport.h"

#include <algorithm>
#include <cstddef>

#include "kernels/backend/backend.h"

namespace sparsepush {

void LocalMeeting::wait() {
  std::unique_lock lock(mutex_);
  if (aborted_) throw TransportAborted();
  const auto mine = meetings_;
  if (++here_ == shards_) {
    here_ = 0;
    ++meetings_;
    all_here_.notify_all();
    return;
  }
  all_here_.wait(lock, [&] { return meetings_ != mine || aborted_; });
  if (meetings_ == mine) throw TransportAborted();
}

void LocalMeeting::abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  all_here_.notify_all();
}

template <class Backend>
void LocalTransport<Backend>::exchange(const Backend& backend, std::span<const ExchangedArray> arrays,
                                       std::span<const NodeId> halo) {
  if (shard_.shards == 1) return;
  meeting_.shown(shard_.index) = arrays.data();
  backend.synchronize();  // the others read what it has written
  meeting_.wait();
  for (std::size_t h = 0; h < halo.size(); ++h) {
    const Shard owner = shard_of(shard_.owner_of(halo[h].node));
    const auto* theirs = static_cast<const ExchangedArray*>(meeting_.shown(owner.index));
    for (std::size_t a = 0; a < arrays.size(); ++a) {
      const auto bytes = arrays[a].row_bytes;
      copy(backend, static_cast<std::byte*>(arrays[a].halo) + static_cast<std::int64_t>(h) * bytes,
           static_cast<const std::byte*>(theirs[a].local) + owner.row_of(halo[h]) * bytes, bytes);
    }
  }
  meeting_.wait();  // nobody changes what the others still copy
}

template <class Backend>
void LocalTransport<Backend>::sum_in_order(std::span<double> sums, const std::function<void(std::span<double>)>& add) {
  std::ranges::fill(sums, 0.0);
  meeting_.shown(shard_.index) = sums.data();
  for (int turn = 0; turn < shard_.shards; ++turn) {
    if (turn == shard_.index) {
      if (turn > 0) std::copy_n(static_cast<const double*>(meeting_.shown(turn - 1)), sums.size(), sums.begin());
      add(sums);
    }
    barrier();
  }
  if (shard_.index < shard_.shards - 1)
    std::copy_n(static_cast<const double*>(meeting_.shown(shard_.shards - 1)), sums.size(), sums.begin());
  barrier();
}

template <class Backend>
void LocalTransport<Backend>::gather(std::span<const double> local, std::span<double> global) {
  meeting_.shown(shard_.index) = local.data();
  barrier();
  for (int s = 0; s < shard_.shards; ++s) {
    const Shard owner = shard_of(s);
    const auto* theirs = static_cast<const double*>(meeting_.shown(s));
    for (int r = 0; r < owner.replicas; ++r)
      std::copy_n(theirs + r * owner.nodes(), owner.nodes(), global.begin() + r * owner.all_nodes + owner.first());
  }
  barrier();
}

template <class Backend>
void LocalTransport<Backend>::barrier() {
  if (shard_.shards > 1) meeting_.wait();
}

template <class Backend>
bool LocalTransport<Backend>::broadcast(bool value) {
  if (shard_.shards == 1) return value;
  meeting_.shown(shard_.index) = &value;
  meeting_.wait();
  const bool first = *static_cast<const bool*>(meeting_.shown(0));
  meeting_.wait();
  return first;
}

template class LocalTransport<Cpu>;
template class LocalTransport<Cuda>;

}  // namespace sparsepush
