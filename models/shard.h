// A shard: the range of nodes that one process, thread or GPU owns.
#pragma once
#include <cstdint>

namespace sparsepush {

/// A node of a run.
struct NodeId {
  int replica = 0;
  int node = 0;  ///< within the replica
  friend bool operator==(const NodeId&, const NodeId&) = default;
};

/// Some of the replicas of an experiment, one after the other.
struct ReplicaRange {
  int first = 0;
  int count = 1;
};

/// Shard s of S owns the nodes [floor(s N / S), floor((s + 1) N / S)) of every replica. Its local rows are
/// replica-major: row r * nodes() + (i - first) is node i of replica r.
struct Shard {
  int index = 0;
  int shards = 1;
  int replicas = 1;
  int all_nodes = 1;  ///< of one replica, over all shards

  int first_of(int shard) const { return static_cast<int>(static_cast<std::int64_t>(shard) * all_nodes / shards); }
  int first() const { return first_of(index); }
  int nodes() const { return first_of(index + 1) - first(); }  ///< of one replica
  int rows() const { return replicas * nodes(); }
  int all_rows() const { return replicas * all_nodes; }

  NodeId id_of(int row) const { return {row / nodes(), first() + row % nodes()}; }
  bool owns(int node) const { return first() <= node && node < first() + nodes(); }
  int row_of(NodeId id) const { return id.replica * nodes() + id.node - first(); }
  int owner_of(int node) const {
    int shard = static_cast<int>(static_cast<std::int64_t>(node) * shards / all_nodes);
    while (first_of(shard + 1) <= node) ++shard;
    return shard;
  }
};

}  // namespace sparsepush
