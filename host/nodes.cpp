#include "host/nodes.h"

#include <algorithm>

#include "host/wire_format.h"
#include "kernels/traffic.h"
#include "kernels/verify_selection.h"

namespace sparsepush {
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
      u_slots(backend, 1, shard.rows() + halo_slots),
      settings(backend, 1, shard.replicas),
      diverged(backend, 1, shard.rows()),
      wire(backend, 1, shard.rows()) {
  const int slots = shard.rows() + halo_slots;
  const std::vector<std::int64_t> zeros(shard.replicas, 0);
  traffic = {zeros, zeros, zeros, zeros};
  if (state.error_memory) error.emplace(backend, shard.rows(), static_cast<int>(layout.row));
  if (state.messages) {
    const TopkPlan plan = message_plan(config.algorithm, layout);
    selection.emplace(backend, shard.rows(), layout, std::vector(shard.replicas, plan));
    position.emplace(backend, slots, static_cast<int>(plan.entries));
    value.emplace(backend, slots, static_cast<int>(plan.entries));
    entries.emplace(backend, std::vector<std::int64_t>(slots, plan.entries));
  }
  if (state.dense_halo && halo_slots > 0) halo_x.emplace(backend, halo_slots, static_cast<int>(layout.row));
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
  if (verify) verify_selection(backend, *selection, error->view(), messages());
}

template <class Backend>
void Nodes<Backend>::send_messages(const PlannedRound& round) {
  copy_within(backend, u_slots.span().data(), u.span().data(), u.span().size_bytes());
  const int rows = shard.rows();
  const auto bytes = [](const auto& view) { return static_cast<std::int64_t>(view.cols * sizeof(*view.data)); };
  const ExchangedArray arrays[] = {
      {position->view().data, position->view().row(rows), bytes(position->view())},
      {value->view().data, value->view().row(rows), bytes(value->view())},
      {u.span().data(), u_slots.span().data() + rows, sizeof(double)},
  };
  transport.exchange(backend, arrays, round.halo);
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
  const ExchangedArray arrays[] = {
      {x.view().data, halo_x ? halo_x->view().data : nullptr, static_cast<std::int64_t>(layout.row * sizeof(float))},
      {u.span().data(), u_slots.span().data() + shard.rows(), sizeof(double)},
  };
  transport.exchange(backend, arrays, round.halo);
  count_dense_wire(round.copies);
}

template <class Backend>
void Nodes<Backend>::mix_push_weights(const PlannedRound& round) {
  const auto slots = shard.rows() + round.halo.size();
  sparsepush::mix_push_weights(backend, round.edges, u_slots.span().first(slots), u.span());
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
