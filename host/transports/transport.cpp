#include "host/transports/transport.h"

#include <algorithm>
#include <vector>

#include "kernels/backend/backend.h"

namespace sparsepush {
namespace {

constexpr std::size_t kSumsAtOnce = 1 << 15;  // 256 KiB: a shard adds while the next one adds what came before

}  // namespace

template <class Backend>
bool Transport<Backend>::broadcast(bool value) {
  broadcast(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

template <class Backend>
void Transport<Backend>::sum_in_order(std::span<double> sums,
                                      const std::function<void(std::int64_t first, std::span<double>)>& add) {
  const Shard& own = shard();
  const int last = own.shards - 1;
  if (last == 0) {
    std::ranges::fill(sums, 0.0);
    return add(0, sums);
  }
  for (std::size_t first = 0; first < sums.size(); first += kSumsAtOnce) {
    const std::span<double> part = sums.subspan(first, std::min(kSumsAtOnce, sums.size() - first));
    std::ranges::fill(part, 0.0);
    if (own.index > 0) receive(own.index - 1, std::as_writable_bytes(part));
    add(static_cast<std::int64_t>(first), part);
    if (own.index < last) send(own.index + 1, std::as_bytes(part));
  }
  if (own.index == last) send(0, std::as_bytes(sums));
  if (own.index == 0) receive(last, std::as_writable_bytes(sums));
  broadcast(std::as_writable_bytes(sums));
}

template <class Backend>
void Transport<Backend>::gather(std::span<const double> local, std::span<double> global) {
  const Shard& own = shard();
  if (own.index > 0) send(0, std::as_bytes(local));
  std::vector<double> theirs;
  for (int s = 0; s < own.shards && own.index == 0; ++s) {
    const Shard owner{s, own.shards, own.replicas, own.all_nodes};
    std::span<const double> rows = local;
    if (s > 0) {
      theirs.resize(owner.rows());
      receive(s, std::as_writable_bytes(std::span(theirs)));
      rows = theirs;
    }
    for (int r = 0; r < owner.replicas; ++r)
      std::ranges::copy(rows.subspan(static_cast<std::size_t>(r) * owner.nodes(), owner.nodes()),
                        global.begin() + std::int64_t{r} * owner.all_nodes + owner.first());
  }
  if (own.shards > 1) broadcast(std::as_writable_bytes(global));
}

template class Transport<Cpu>;
template class Transport<Cuda>;

}  // namespace sparsepush
