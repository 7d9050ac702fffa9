// Shards whose GPUs send to each other.
#pragma once
#include <memory>
#include <span>
#include <string>

#include "host/transports/transport.h"
#include "kernels/backend/backend.h"

namespace sparsepush {

/// Returns whether this program can send through NCCL: it is built for it, and the library is on this machine.
bool nccl_is_available();

/// One shard's end: rows travel through NCCL from memory of one GPU to that of another, without the host; all else goes
/// through another transport between the same shards. Each shard needs a GPU of its own, and a process. Tested over the
/// simulator's stand-in for NCCL, not run on GPUs.
///
/// Nobody waits for a GPU here, so a shard may have exchanges under way when another one fails. What they wait for then
/// never comes. Whoever hears of the failure in a call of this transport, or unwinds, drops its exchanges and ends as
/// it likes. Who waits for its GPU hears nothing: its process has to be ended by the launcher.
class NcclTransport final : public Transport<Cuda> {
 public:
  /// Connects the shards; returns when all have called it. The calling thread has made `gpu`; it and `control` must
  /// outlive this. Throws std::runtime_error if the program is built without NCCL, or NCCL refuses.
  NcclTransport(Transport<Cuda>& control, const Cuda& gpu);
  /// Waits for exchanges under way; unwinding, drops them.
  ~NcclTransport() override;
  NcclTransport(const NcclTransport&) = delete;
  NcclTransport& operator=(const NcclTransport&) = delete;

  const Shard& shard() const override { return control_.shard(); }
  /// Puts the exchange behind the ops of `gpu`, which is that of the constructor, on a stream of its own, and returns.
  /// The first one with another shard may wait until that has called it too; more rows than ever before wait for those
  /// under way. Throws std::runtime_error if NCCL fails, now or in an exchange before.
  void start_exchange(const Cuda& gpu, std::span<const ExchangedArray> arrays, const Halo& halo) override;
  bool overlaps() const override { return control_.shard().shards > 1; }
  /// Lets the ops that follow wait for the exchange, and returns.
  void finish_exchange() override;
  void send(int to, std::span<const std::byte> bytes) override;
  void receive(int from, std::span<std::byte> bytes) override;
  using Transport<Cuda>::broadcast;
  void broadcast(std::span<std::byte> bytes) override;
  void barrier() override;

 private:
  struct Connection;
  /// Calls call(); if that throws, drops the exchanges under way: another shard has failed.
  template <class Call>
  void pass_on(const Call& call);

  Transport<Cuda>& control_;
  std::unique_ptr<Connection> connection_;  ///< null where exchanges have been dropped
};

}  // namespace sparsepush
