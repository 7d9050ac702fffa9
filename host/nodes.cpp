#include "host/nodes.h"

#include <algorithm>

#include "host/wire_format.h"
#include "kernels/traffic.h"
#include "kernels/verify_selection.h"

namespace sparsepush {
namespace {

template <class T>
ExchangedArray exchanged(const MatrixView<T>& local, T* halo) {
  return {local.data, halo, static_cast<std::int64_t>(local.cols * sizeof(T))};
}

}  // namespace

TopkPlan message_plan(const AlgorithmConfig& algorithm, const RowLayout& layout) {
  const auto scope = algorithm.scope == "global" ? TopkScope::kGlobal : TopkScope::kLayer;
  return make_topk_plan(layout, scope, algorithm.compressor == "identity" ? 1.0 : algorithm.keep);
}

template <class Backend>
Nodes<Backend>::Nodes(const Backend& backend, Transport<Backend>& transport, const RowLayout& layout,
                      const Config& config, const StatePlan& state, int halo_slots)
    : backend(backend),
      transport(transport),
      shard(transport.shard()),
      layout(layout),
      backend_layout(layout_on(backend, layout)),
      nesterov(config.optimizer.kind == "nesterov"),
      identity(config.algorithm.compressor == "identity"),
      verify(config.run.verify),
      x(backend, shard.rows(), static_cast<int>(layout.row)),
      momentum(backend, shard.rows(), static_cast<int>(layout.row)),
      gradient(backend, shard.rows(), static_cast<int>(layout.row)),
      u(backend, std::vector<double>(shard.rows(), 1.0)),
      u_slots(backend, 1, shard.rows()),
      settings(backend, 1, shard.replicas),
      diverged(backend, 1, shard.rows()),
      wire(backend, 1, shard.rows()) {
  const std::vector<std::int64_t> zeros(shard.replicas, 0);
  traffic = {zeros, zeros, zeros, zeros};
  if (state.error_memory) error.emplace(backend, shard.rows(), static_cast<int>(layout.row));
  if (state.messages) {
    const TopkPlan plan = message_plan(config.algorithm, layout);
    selection.emplace(backend, shard.rows(), layout, std::vector(shard.replicas, plan));
    position.emplace(backend, shard.rows(), static_cast<int>(plan.entries));
  }
  if (state.dense_halo) halo_x.emplace(backend, 0, static_cast<int>(layout.row));
  allocate_halo(halo_slots);
}

template <class Backend>
void Nodes<Backend>::allocate_halo(int halo_slots) {
  const int slots = shard.rows() + halo_slots;
  u_slots = {backend, 1, slots};
  if (halo_x) halo_x.emplace(backend, halo_slots, static_cast<int>(layout.row));
  if (!position) return;
  const int each = position->view().cols;
  position.emplace(backend, slots, each);
  value.emplace(backend, slots, each);
  entries.emplace(backend, std::vector<std::int64_t>(slots, each));
}

template <class Backend>
SgdUpdate Nodes<Backend>::sgd() {
  return {.x = x.view(),
          .momentum = momentum.view(),
          .gradient = gradient.view(),
          .u = u.span(),
          .settings = settings.span(),
          .nesterov = nesterov,
          .diverged = diverged.span()};
}

template <class Backend>
void Nodes<Backend>::update_and_select() {
  update_select(backend, *selection, {.sgd = sgd(), .error = error->view(), .messages = messages()});
  if (verify)
    work.host_call([this](std::int64_t) { verify_selection(backend, *selection, error->view(), messages()); });
}

template <class Backend>
void Nodes<Backend>::send_messages(const PlannedRound& round) {
  copy_within(backend, u_slots.span().data(), u.span().data(), u.span().size_bytes());
  const int rows = shard.rows();
  exchange(round, {exchanged(position->view().rows_from(0, rows), position->view().row(rows)),
                   exchanged(value->view().rows_from(0, rows), value->view().row(rows))});
  if (identity) return count_dense_wire(round.copies);
  add_wire_traffic(backend, {.layout = backend_layout,
                             .messages = messages(),
                             .entries = entries->span().first(rows),
                             .copies = round.copies,
                             .bytes = wire.span()});
}

template <class Backend>
void Nodes<Backend>::send_rows(const PlannedRound& round) {
  copy_within(backend, u_slots.span().data(), u.span().data(), u.span().size_bytes());
  exchange(round, {exchanged(x.view(), halo_x ? halo_x->view().data : nullptr)});
  count_dense_wire(round.copies);
}

template <class Backend>
void Nodes<Backend>::exchange(const PlannedRound& round, std::vector<ExchangedArray> arrays) {
  if (shard.shards == 1) return;
  arrays.push_back({u.span().data(), u_slots.span().data() + shard.rows(), sizeof(double)});
  work.host_call([this, arrays = std::move(arrays), halo = round.halo](std::int64_t) {
    transport.exchange(backend, arrays, *halo);
  });
}

template <class Backend>
void Nodes<Backend>::mix_push_weights(const PlannedRound& round) {
  sparsepush::mix_push_weights(backend, round.edges, u_slots.span(), u.span());
}

template <class Backend>
void Nodes<Backend>::count_dense_wire(std::span<const std::int64_t> copies) {
  add_dense_traffic(backend, copies, message_bytes(layout.params, 0).dense, wire.span());
}

template <class Backend>
void Nodes<Backend>::count_messages(std::span<const std::int64_t> messages, bool dense) {
  const MessageBytes each = message_bytes(layout.params, dense ? 0 : position->view().cols);
  for (int r = 0; r < shard.replicas; ++r) {
    traffic.messages[r] += messages[r];
    traffic.authors[r] += messages[r] * (dense ? each.dense : each.authors);
    traffic.coo32[r] += messages[r] * (dense ? each.dense : each.coo32);
    traffic.dense[r] += messages[r] * each.dense;
  }
}

template class Nodes<Cpu>;
template class Nodes<Cuda>;

}  // namespace sparsepush
