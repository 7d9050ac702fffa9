// The rows of a run, of those of its experiment.
#pragma once
#include <span>

#include "host/state/experiment.h"
#include "host/state/nodes.h"

namespace sparsepush {

/// The local rows of a run, which stand together: rows and replicas are counted from the run's first.
template <class Backend>
struct RunRows {
  /// Finds the rows of `run` among those of `nodes`, which must outlive it.
  RunRows(Nodes<Backend>& nodes, const Run& run) : nodes(nodes), replicas(run.replicas()), shard(nodes.shard) {
    shard.replicas = replicas.count;
  }

  int first() const { return replicas.first * shard.nodes(); }

  /// Returns the run's rows of an array, or all of an array that is not of nodes or replicas.
  template <class T>
  MatrixView<T> of(const Array<T>& array) const {
    if (array.is_of_nodes()) return of(nodes[array]);
    return array.per == Per::kReplica ? nodes[array].rows_from(replicas.first, replicas.count) : nodes[array];
  }
  /// Returns the run's rows among `rows`, which has one for each local row.
  template <class T>
  MatrixView<T> of(MatrixView<T> rows) const {
    return rows.rows_from(first(), shard.rows());
  }
  template <class T>
  std::span<T> of(std::span<T> values) const {
    return values.subspan(first(), shard.rows());
  }

  Nodes<Backend>& nodes;
  const ReplicaRange replicas;  ///< the run's, among all
  Shard shard;                  ///< the shard as if the run were alone
};

}  // namespace sparsepush
