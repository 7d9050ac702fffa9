#include "host/ranks/rank_transport.h"

#include <utility>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/messages/row_packets.h"

namespace sparsepush {
namespace {

/// A parcel for each other shard, one behind the other from `bytes` on.
std::vector<Parcel> parcels(std::byte* bytes, const std::vector<int>& packets, std::int64_t packet_bytes) {
  std::vector<Parcel> all;
  for (std::size_t rank = 0; rank < packets.size(); ++rank) {
    if (packets[rank] == 0) continue;
    all.push_back({static_cast<int>(rank), bytes, packets[rank], packet_bytes});
    bytes += packets[rank] * packet_bytes;
  }
  return all;
}

/// A parcel for every row of every array, row by row; row(k) is row number k in the arrays.
template <class Row>
std::vector<Parcel> row_parcels(std::span<const PacketArray> arrays, const std::vector<int>& rows, const Row& row) {
  std::vector<Parcel> all;
  std::int64_t next = 0;
  for (std::size_t rank = 0; rank < rows.size(); ++rank)
    for (int i = 0; i < rows[rank]; ++i, ++next)
      for (const PacketArray& array : arrays)
        all.push_back({static_cast<int>(rank), array.rows + row(next) * array.row_bytes, 1, array.row_bytes});
  return all;
}

constexpr int kRow = 4096;  // bytes of a row of packet memory

/// An eighth more, so that rounds that are drawn seldom outgrow those before.
int rows_for(std::size_t bytes) { return static_cast<int>((bytes + bytes / 8 + kRow - 1) / kRow); }

}  // namespace

void PacketMemory<Cpu>::reserve(const Cpu& cpu, std::size_t bytes) {
  if (!there_ || there_->span().size() < bytes) there_.emplace(cpu, rows_for(bytes), kRow);
}

void PacketMemory<Cuda>::reserve(const Cuda& gpu, std::size_t bytes) {
  if (there_ && there_->span().size() >= bytes) return;
  there_.emplace(gpu, rows_for(bytes), kRow);
  here_.reset(static_cast<std::byte*>(allocate_pinned(gpu, there_->span().size())));
}

void PacketMemory<Cuda>::bring(std::size_t bytes) {
  if (bytes > 0) copy(there_->backend(), here(), there(), bytes);
}

void PacketMemory<Cuda>::put(std::size_t bytes) {
  if (bytes > 0) copy(there_->backend(), there(), here(), bytes);
}

template <class Backend>
void RankTransport<Backend>::start_exchange(const Backend& backend, std::span<const ExchangedArray> arrays,
                                            const Halo& halo) {
  if (shard_.shards == 1) return;
  std::vector<PacketArray> local;
  halos_.clear();
  for (const ExchangedArray& array : arrays) {
    local.push_back({array.local, array.row_bytes});
    halos_.push_back({array.halo, array.row_bytes});
  }
  const std::int64_t each = packet_bytes(local);
  unpacks_ = nullptr;
  if (!kOverlaps && each >= kLargeRow)
    return start(row_parcels(local, halo.to, [&](std::int64_t k) { return halo.sent[k]; }),
                 row_parcels(halos_, halo.from, [](std::int64_t k) { return k; }));
  unpacks_ = &backend;
  const std::size_t sent = halo.sent.size() * each;
  received_bytes_ = halo.nodes.size() * each;
  sent_.reserve(backend, sent);
  received_.reserve(backend, received_bytes_);
  pack_rows(backend, {.arrays = local, .row = halo.sent_there, .packets = {sent_.there(), sent}});
  sent_.bring(sent);
  start(parcels(sent_.here(), halo.to, each), parcels(received_.here(), halo.from, each));
}

template <class Backend>
RankTransport<Backend>::~RankTransport() {
  if (!is_under_way_) return;
  new PacketMemory<Backend>(std::move(sent_));
  new PacketMemory<Backend>(std::move(received_));
}

template <class Backend>
void RankTransport<Backend>::finish_exchange() {
  if (kOverlaps && shard_.shards > 1) complete();
}

template <class Backend>
void RankTransport<Backend>::complete() {
  ranks_.finish_exchange();
  is_under_way_ = false;
  if (unpacks_ == nullptr) return;
  received_.put(received_bytes_);
  unpack_rows(*unpacks_, {.arrays = halos_, .packets = {received_.there(), received_bytes_}});
}

template <class Backend>
void RankTransport<Backend>::start(const std::vector<Parcel>& sent, const std::vector<Parcel>& received) {
  for (const Parcel& parcel : sent) sent_row_bytes_ += parcel.units * parcel.unit_bytes;
  is_under_way_ = true;
  ranks_.start_exchange(sent, received);
  if (!kOverlaps) complete();
}

template class RankTransport<Cpu>;
template class RankTransport<Cuda>;

}  // namespace sparsepush
