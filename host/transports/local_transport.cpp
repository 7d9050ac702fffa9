#include "host/transports/local_transport.h"

#include <algorithm>
#include <cstddef>

#include "kernels/backend/backend.h"
#include "kernels/backend/check.h"

namespace sparsepush {

template <class Condition>
void LocalMeeting::wait_until(std::unique_lock<std::mutex>& lock, const Condition& holds) {
  changed_.wait(lock, [&] { return holds() || aborted_; });
  if (aborted_) throw TransportAborted();  // who offered bytes may have left them
}

void LocalMeeting::wait() {
  std::unique_lock lock(mutex_);
  if (aborted_) throw TransportAborted();
  const auto mine = meetings_;
  if (++here_ == shards_) {
    here_ = 0;
    ++meetings_;
    changed_.notify_all();
    return;
  }
  wait_until(lock, [&] { return meetings_ != mine; });
}

void LocalMeeting::send(int from, int to, std::span<const std::byte> bytes) {
  std::unique_lock lock(mutex_);
  Offer& own = offer(from, to);
  own = {bytes, true};
  changed_.notify_all();
  wait_until(lock, [&] { return !own.stands; });
}

void LocalMeeting::receive(int from, int to, std::span<std::byte> bytes) {
  std::unique_lock lock(mutex_);
  Offer& theirs = offer(from, to);
  wait_until(lock, [&] { return theirs.stands; });
  CHECK(theirs.bytes.size() == bytes.size(), "bytes ", theirs.bytes.size(), " sent, ", bytes.size(), " awaited");
  std::ranges::copy(theirs.bytes, bytes.begin());
  theirs.stands = false;
  changed_.notify_all();
}

void LocalMeeting::abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  changed_.notify_all();
}

template <class Backend>
void LocalTransport<Backend>::start_exchange(const Backend& backend, std::span<const ExchangedArray> arrays,
                                             const Halo& halo) {
  if (shard_.shards == 1) return;
  exchange_ = {&backend, {arrays.begin(), arrays.end()}, &halo};
  meeting_.shown(shard_.index) = exchange_.arrays.data();
  backend.synchronize();  // the others read what it has written
}

template <class Backend>
void LocalTransport<Backend>::finish_exchange() {
  if (shard_.shards == 1) return;
  const auto& [backend, arrays, exchanged] = exchange_;
  const Halo& halo = *exchanged;
  meeting_.wait();
  for (std::size_t h = 0; h < halo.nodes.size(); ++h) {
    const Shard owner{shard_.owner_of(halo.nodes[h].node), shard_.shards, shard_.replicas, shard_.all_nodes};
    const auto* theirs = static_cast<const ExchangedArray*>(meeting_.shown(owner.index));
    for (std::size_t a = 0; a < arrays.size(); ++a) {
      const auto bytes = arrays[a].row_bytes;
      copy(*backend, arrays[a].halo + static_cast<std::int64_t>(h) * bytes,
           theirs[a].local + owner.row_of(halo.nodes[h]) * bytes, bytes);
    }
  }
  meeting_.wait();  // nobody changes what the others still copy
}

template <class Backend>
void LocalTransport<Backend>::broadcast(std::span<std::byte> bytes) {
  if (shard_.shards == 1) return;
  meeting_.shown(shard_.index) = bytes.data();
  meeting_.wait();
  if (shard_.index > 0) std::copy_n(static_cast<const std::byte*>(meeting_.shown(0)), bytes.size(), bytes.begin());
  meeting_.wait();
}

template <class Backend>
void LocalTransport<Backend>::barrier() {
  if (shard_.shards > 1) meeting_.wait();
}

template class LocalTransport<Cpu>;
template class LocalTransport<Cuda>;

}  // namespace sparsepush
