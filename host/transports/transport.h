// How shards reach each other.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>

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
  const void* local = nullptr;
  void* halo = nullptr;
  std::int64_t row_bytes = 0;
};

/// Collective operations among the shards of a run: every shard makes the same calls in the same order.
template <class Backend>
class Transport {
 public:
  virtual ~Transport() = default;

  virtual const Shard& shard() const = 0;

  /// Fills every array's halo: row h with what the owner of halo[h] has for it. Arrays stand in the same order
  /// everywhere.
  virtual void exchange(const Backend& backend, std::span<const ExchangedArray> arrays,
                        std::span<const NodeId> halo) = 0;

  /// Calls add(sums) in one shard after the other, in shard order, on sums that begin at 0; then all have the result.
  virtual void sum_in_order(std::span<double> sums, const std::function<void(std::span<double>)>& add) = 0;

  /// Joins per-row values of all shards in global order: local is [rows()], global [all_rows()], replica-major.
  virtual void gather(std::span<const double> local, std::span<double> global) = 0;

  /// Returns when every shard has called it.
  virtual void barrier() = 0;

  /// Returns shard 0's value, in every shard.
  virtual bool broadcast(bool value) = 0;
};

}  // namespace sparsepush
