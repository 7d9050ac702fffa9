#include "host/state/trigger.h"

#include <algorithm>
#include <vector>

#include "host/state/row_batches.h"
#include "kernels/mixing/flag_due.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

/// Does what the op flag_due does, over the nodes of all shards, which all decide alike.
template <class Backend>
void flag_due_over_shards(Nodes<Backend>& n, const Array<float>& drift) {
  const int nodes = n.shard.nodes();
  const std::vector<VarianceLimit> limit = n.trigger->limit.to_host();
  std::vector<std::int32_t> due;
  std::vector<std::int64_t> syncs = n.to_host(state::syncs);
  for (int r = 0; r < n.shard.replicas; ++r) {
    const auto rows = n[drift].rows_from(r * nodes, nodes);
    std::vector<double> sums(2);
    n.transport.sum_in_order(sums,
                             [&](std::int64_t first, std::span<double> s) { add_rows(n.backend, rows, first, s); });
    due.push_back(exceeds(limit[r], sums[0], sums[1], n.shard.all_nodes) ? 1 : 0);
    syncs[r] += due[r];
  }
  n.trigger->due.assign(due);
  n.assign(state::syncs, syncs);
}

}  // namespace

template <class Backend>
void flag_due(Nodes<Backend>& n, const Array<float>& drift) {
  if (n.shard.shards == 1) {
    flag_due(n.backend, {.drift = n[drift],
                         .limit = n.trigger->limit.span(),
                         .due = n.trigger->due.span(),
                         .syncs = n.list(state::syncs)});
  } else {
    n.work.host_call([&n, drift](std::int64_t) { flag_due_over_shards(n, drift); });
  }
  n.count(n.trigger->monitor, n.chain_copies.span());
}

template <class Backend>
void copy_first_rows(Nodes<Backend>& n, const Array<float>& from, const Array<float>& to) {
  const MatrixView<float> rows = n[from];
  fill_rows(n.backend, n[to], [&](int replica, float* values) {
    const std::span<float> row(values, rows.cols);
    if (n.shard.owns(0)) copy(n.backend, values, rows.row(n.shard.row_of({replica, 0})), row.size_bytes());
    n.transport.broadcast(std::as_writable_bytes(row));  // shard 0 owns node 0
  });
}

template void flag_due(Nodes<Cpu>&, const Array<float>&);
template void copy_first_rows(Nodes<Cpu>&, const Array<float>&, const Array<float>&);
template void flag_due(Nodes<Cuda>&, const Array<float>&);
template void copy_first_rows(Nodes<Cuda>&, const Array<float>&, const Array<float>&);

}  // namespace sparsepush
