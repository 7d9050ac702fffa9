#include "host/ranks/nccl_transport.h"

#include <fmt/format.h>
#include <nccl.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/check.h"
#include "kernels/messages/row_packets.h"

namespace sparsepush {
namespace {

cudaStream_t stream_of(const Cuda& gpu) { return static_cast<cudaStream_t>(gpu.stream()); }

void check_cuda(cudaError_t status, const char* call) {
  if (status != cudaSuccess) throw std::runtime_error(fmt::format("{}: {}", call, cudaGetErrorString(status)));
}

/// A stream on which messages travel beside the ops.
class MessageStream {
 public:
  MessageStream() {
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  }
  ~MessageStream() { cudaStreamDestroy(stream_); }
  MessageStream(const MessageStream&) = delete;
  MessageStream& operator=(const MessageStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// By which one stream waits for another.
class Signal {
 public:
  Signal() { check_cuda(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags"); }
  ~Signal() { cudaEventDestroy(event_); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  /// Lets what `later` is given from now on wait for all that `earlier` has been given.
  void order(cudaStream_t earlier, cudaStream_t later) {
    check_cuda(cudaEventRecord(event_, earlier), "cudaEventRecord");
    check_cuda(cudaStreamWaitEvent(later, event_, 0), "cudaStreamWaitEvent");
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Memory of packets, which only grows.
class Packets {
 public:
  std::span<std::byte> reserve(const Cuda& gpu, std::size_t bytes) {
    if (!memory_ || memory_->span().size() < bytes) {
      if (memory_) gpu.synchronize();  // packets of rounds before may be on their way
      memory_.reset();
      memory_.emplace(gpu, static_cast<int>((bytes + bytes / kSpare + kRow - 1) / kRow), kRow);
    }
    return memory_->span().first(bytes);
  }

 private:
  static constexpr int kRow = 4096;  // bytes
  static constexpr int kSpare = 8;   // an eighth, so that rounds that are drawn seldom outgrow those before

  std::optional<Buffer<Cuda, std::byte>> memory_;
};

}  // namespace

struct NcclTransport::Connection {
  Connection(Transport<Cuda>& control, const Cuda& gpu);
  /// Waits for what is under way, unless it was made before an exception that unwinds now.
  ~Connection();
  Connection(const Connection&) = delete;

  void check(ncclResult_t result, std::string_view call) const;
  /// Throws if NCCL has failed since the last call.
  void check_progress() const;
  /// Calls call(first byte, bytes, shard) for each shard's part of `packets`, in their order.
  template <class Call>
  void for_each_part(const std::vector<int>& counts, std::span<std::byte> packets, const Call& call) const;
  /// Starts all messages of a round at once: one alone could wait for another.
  void start(std::span<std::byte> sent, std::span<std::byte> received, const Halo& halo) const;

  const Cuda& gpu;
  const std::string name;  ///< of shard and GPU, for errors
  const int exceptions = std::uncaught_exceptions();
  Packets sent, received;
  MessageStream stream;
  Signal packed, arrived;
  // Of the exchange that has been started:
  std::vector<PacketArray> halos;
  std::span<std::byte> arriving;
  ncclComm_t comm = nullptr;
  bool drops = false;
};

namespace {

/// A group of calls, which NCCL wants ended whatever happens in it.
class Group {
 public:
  explicit Group(ncclResult_t started) : is_open_(started == ncclSuccess) {}
  ~Group() {
    if (is_open_) ncclGroupEnd();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ncclResult_t end() {
    is_open_ = false;
    return ncclGroupEnd();
  }

 private:
  bool is_open_;
};

}  // namespace

NcclTransport::Connection::Connection(Transport<Cuda>& control, const Cuda& gpu)
    : gpu(gpu), name(fmt::format("shard {} of {}, on {}", control.shard().index, control.shard().shards, gpu.name())) {
  ncclUniqueId id{};
  if (control.shard().index == 0) check(ncclGetUniqueId(&id), "ncclGetUniqueId");
  control.broadcast(std::as_writable_bytes(std::span(&id, 1)));
  check(ncclCommInitRank(&comm, control.shard().shards, id, control.shard().index), "ncclCommInitRank");
}

NcclTransport::Connection::~Connection() {
  try {
    if (!drops && std::uncaught_exceptions() <= exceptions) {
      gpu.synchronize();
      ncclCommDestroy(comm);
      return;
    }
  } catch (const std::exception&) {  // the GPU has failed
  }
  ncclCommAbort(comm);
}

void NcclTransport::Connection::check(ncclResult_t result, std::string_view call) const {
  if (result == ncclSuccess) return;
  const char* more = ncclGetLastError(comm);
  throw std::runtime_error(fmt::format("{}, {}: {}{}{}", name, call, ncclGetErrorString(result),
                                       more != nullptr && *more != '\0' ? "; " : "", more != nullptr ? more : ""));
}

void NcclTransport::Connection::check_progress() const {
  ncclResult_t result = ncclSuccess;
  check(ncclCommGetAsyncError(comm, &result), "ncclCommGetAsyncError");
  check(result, "an exchange through NCCL");
}

template <class Call>
void NcclTransport::Connection::for_each_part(const std::vector<int>& counts, std::span<std::byte> packets,
                                              const Call& call) const {
  std::int64_t all = 0, before = 0;
  for (const int count : counts) all += count;
  if (all == 0) return;
  const std::int64_t each = std::ssize(packets) / all;
  for (std::size_t shard = 0; shard < counts.size(); ++shard) {
    if (counts[shard] > 0) call(packets.data() + before * each, counts[shard] * each, static_cast<int>(shard));
    before += counts[shard];
  }
}

void NcclTransport::Connection::start(std::span<std::byte> sent, std::span<std::byte> received,
                                      const Halo& halo) const {
  const ncclResult_t started = ncclGroupStart();
  Group group(started);
  check(started, "ncclGroupStart");
  for_each_part(halo.to, sent, [&](const std::byte* first, std::size_t bytes, int to) {
    check(ncclSend(first, bytes, ncclUint8, to, comm, stream.get()), fmt::format("ncclSend to shard {}", to));
  });
  for_each_part(halo.from, received, [&](std::byte* first, std::size_t bytes, int from) {
    check(ncclRecv(first, bytes, ncclUint8, from, comm, stream.get()), fmt::format("ncclRecv from shard {}", from));
  });
  check(group.end(), "ncclGroupEnd");
}

NcclTransport::NcclTransport(Transport<Cuda>& control, const Cuda& gpu)
    : control_(control), connection_(std::make_unique<Connection>(control, gpu)) {}

NcclTransport::~NcclTransport() = default;

void NcclTransport::start_exchange(const Cuda& gpu, std::span<const ExchangedArray> arrays, const Halo& halo) {
  if (!connection_) throw TransportAborted();
  Connection& c = *connection_;
  CHECK(&gpu == &c.gpu, "an exchange of another GPU");
  CHECK(halo.sent_there.size() == halo.sent.size(), "rows to send ", halo.sent.size(), ", on the GPU ",
        halo.sent_there.size());
  c.check_progress();
  c.halos.clear();
  if (halo.sent.empty() && halo.nodes.empty()) return;
  std::vector<PacketArray> local;
  for (const ExchangedArray& array : arrays) {
    local.push_back({array.local, array.row_bytes});
    c.halos.push_back({array.halo, array.row_bytes});
  }
  const std::int64_t each = packet_bytes(local);
  const std::span<std::byte> sent = c.sent.reserve(gpu, halo.sent.size() * each);
  c.arriving = c.received.reserve(gpu, halo.nodes.size() * each);
  pack_rows(gpu, {.arrays = local, .row = halo.sent_there, .packets = sent});
  c.packed.order(stream_of(gpu), c.stream.get());
  c.start(sent, c.arriving, halo);
}

void NcclTransport::finish_exchange() {
  if (!connection_) throw TransportAborted();
  Connection& c = *connection_;
  if (c.halos.empty()) return;
  c.arrived.order(c.stream.get(), stream_of(c.gpu));
  unpack_rows(c.gpu, {.arrays = c.halos, .packets = c.arriving});
}

template <class Call>
void NcclTransport::pass_on(const Call& call) {
  try {
    call();
  } catch (...) {
    if (connection_) connection_->drops = true;
    connection_.reset();
    throw;
  }
}

void NcclTransport::send(int to, std::span<const std::byte> bytes) {
  pass_on([&] { control_.send(to, bytes); });
}
void NcclTransport::receive(int from, std::span<std::byte> bytes) {
  pass_on([&] { control_.receive(from, bytes); });
}
void NcclTransport::broadcast(std::span<std::byte> bytes) {
  pass_on([&] { control_.broadcast(bytes); });
}
void NcclTransport::barrier() {
  pass_on([&] { control_.barrier(); });
}

}  // namespace sparsepush
