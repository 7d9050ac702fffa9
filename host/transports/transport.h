// How shards reach each other.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>

#include "host/transports/halo.h"
#include "models/shard.h"

namespace sparsepush {

/// Thrown in every other shard when one shard failed and left.
class TransportAborted : public std::runtime_error {
 public:
  TransportAborted() : std::runtime_error("another shard failed") {}
};

/// One array that takes part in an exchange: row i of a shard's `local` belongs to its local row i; `halo` receives one
/// row per remote in-neighbour. Both in backend memory.
struct ExchangedArray {
  std::byte* local = nullptr;
  std::byte* halo = nullptr;
  std::int64_t row_bytes = 0;  ///< a multiple of 4
};

/// Collective operations among the shards of a run: every shard makes the same calls in the same order. All but an
/// exchange are of host memory.
template <class Backend>
class Transport {
 public:
  virtual ~Transport() = default;

  virtual const Shard& shard() const = 0;

  /// Starts to fill every array's halo: row h with what the owner of halo.nodes[h] has for it. Arrays stand in the same
  /// order everywhere. Until `finish_exchange`, the next call, `halo` and the rows that are sent must stay as they are,
  /// and nobody may look at the arrays' halos.
  virtual void start_exchange(const Backend& backend, std::span<const ExchangedArray> arrays, const Halo& halo) = 0;
  /// Returns whether rows travel while ops are done between this and `finish_exchange`. Else these are better done
  /// later, together with those that need the halos.
  virtual bool overlaps() const { return false; }
  /// Ends what `start_exchange` began: ops that are called from now on find the halos filled, and may change the rows.
  virtual void finish_exchange() = 0;
  /// Does both.
  void exchange(const Backend& backend, std::span<const ExchangedArray> arrays, const Halo& halo) {
    start_exchange(backend, arrays, halo);
    finish_exchange();
  }
  /// Sends bytes to another shard, which must receive as many. May return before it has.
  virtual void send(int to, std::span<const std::byte> bytes) = 0;
  /// Waits for the next bytes that another shard sends to this one.
  virtual void receive(int from, std::span<std::byte> bytes) = 0;
  /// Replaces the bytes by shard 0's, in every shard.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// Returns when every shard has called it.
  virtual void barrier() = 0;

  /// Returns shard 0's value, in every shard.
  bool broadcast(bool value);
  /// Adds up over the shards in their order: calls add(first, part) on parts of `sums`, that from element `first`,
  /// which hold what the shards before have made of zeros; then all have the result. Shards work on different parts at
  /// once.
  void sum_in_order(std::span<double> sums, const std::function<void(std::int64_t first, std::span<double>)>& add);
  /// Joins per-row values of all shards in global order: local is [rows()], global [all_rows()], replica-major.
  void gather(std::span<const double> local, std::span<double> global);
};

}  // namespace sparsepush
