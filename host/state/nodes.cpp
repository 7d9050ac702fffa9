#include "host/state/nodes.h"

#include <type_traits>

#include "kernels/messages/round_values.h"
#include "kernels/messages/wire_size.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/mixing/dense_mix.h"

namespace sparsepush {
namespace {

/// Lists how many entries each slot's message has. The halo's numbers arrive with its messages and replace what stands
/// here.
std::vector<std::int64_t> entries_of_slots(const Extent& extent, const RowLayout& layout, const NodesPlan& plan) {
  std::vector<std::int64_t> entries(extent.rows + extent.halo, extent.entries);
  for (std::int64_t row = 0; row < extent.rows; ++row)
    entries[row] = entries_of(plan.recipe, plan.algorithm[row / (extent.rows / extent.replicas)], layout);
  return entries;
}

std::vector<std::int64_t> copies_in_chain(const Shard& shard) {
  std::vector<std::int64_t> copies;
  for (int row = 0; row < shard.rows(); ++row) {
    const int node = shard.id_of(row).node;
    copies.push_back((node < shard.all_nodes - 1) + (node > 0));
  }
  return copies;
}

template <class Backend>
std::optional<Outgoing<Backend>> outgoing(const Backend& backend, const std::optional<Message>& message,
                                          const Extent& extent, const RowLayout& layout, const NodesPlan& plan) {
  if (!message) return std::nullopt;
  std::vector<MessageBytes> bytes;
  for (const AlgorithmConfig& algorithm : plan.algorithm) {
    bytes.push_back(bytes_of(*message, plan.recipe, algorithm, layout, extent));
    if (message->compressed && plan.recipe.compressor->differs_on_wire)  // the backend adds what it measures of each
      bytes.back().wire -= wire_size_bound(layout.params, entries_of(plan.recipe, algorithm, layout));
  }
  return Outgoing<Backend>{*message, {backend, bytes}};
}

template <class Backend>
Buffer<Backend, float> workspace_to_mix(const Backend& backend, const Extent& extent) {
  const std::int64_t slots = extent.rows + extent.halo;
  if (std::is_same_v<Backend, Cpu> || slots == 0) return {backend, 0, 0};
  const std::int64_t floats = dense_mix_workspace(slots, extent.row);
  return {backend, static_cast<int>(slots), static_cast<int>(floats / slots)};
}

constexpr double kThresholdAParameter = 4.91e-5;  // the guide of [FDA]'s authors

template <class Backend>
std::optional<Trigger<Backend>> trigger_of(const Backend& backend, const Extent& extent, const RowLayout& layout,
                                           const NodesPlan& plan) {
  auto monitor = outgoing(backend, plan.recipe.method.monitor, extent, layout, plan);
  if (!monitor) return std::nullopt;
  std::vector<VarianceLimit> limit;
  for (const AlgorithmConfig& algorithm : plan.algorithm)
    limit.push_back(
        {.threshold = algorithm.threshold.value_or(kThresholdAParameter * static_cast<double>(layout.params)),
         .heading_counts = algorithm.monitor == "linear"});
  return Trigger<Backend>{std::move(*monitor), {backend, limit}, {backend, 1, static_cast<int>(extent.replicas)}};
}

}  // namespace

template <class Backend>
Nodes<Backend>::Nodes(const Backend& backend, Transport<Backend>& transport, const RowLayout& layout,
                      const NodesPlan& plan)
    : backend(backend),
      transport(transport),
      shard(transport.shard()),
      layout(layout),
      backend_layout(layout_on(backend, layout)),
      recipe(plan.recipe),
      algorithm(plan.algorithm.at(0)),
      verify(plan.verify),
      extent(extent_of(plan, layout, shard.nodes())),
      arrays(state_of(recipe, plan.own)),
      state(backend, planned_state(arrays, recipe, extent), extent),
      seed(backend, plan.seed),
      message_entries(backend, entries_of_slots(extent, layout, plan)),
      own_begin(backend, 1, static_cast<int>(extent.rows + extent.halo) + 1),
      own_weight(backend, std::vector<float>(extent.rows + extent.halo, 1.0f)),
      chain_copies(backend, copies_in_chain(shard)),
      block_begin(backend, extent.blocks > 0 ? block_begins(layout, extent.blocks) : std::vector<std::int64_t>{}),
      workspace(workspace_to_mix(backend, extent)),
      message(outgoing(backend, recipe.method.message, extent, layout, plan)),
      final_message(outgoing(backend, recipe.method.final_message, extent, layout, plan)),
      trigger(trigger_of(backend, extent, layout, plan)),
      settings(backend, plan.settings_of_rows ? shard.rows() : shard.replicas),
      diverged(backend, 1, shard.rows()),
      sent(backend, kSentCounts, shard.rows()) {
  CHECK(static_cast<int>(plan.algorithm.size()) == shard.replicas && plan.seed.size() == plan.algorithm.size(),
        "settings of ", plan.algorithm.size(), " replicas, ", plan.seed.size(), " seeds, there are ", shard.replicas);
  for (const AlgorithmConfig& other : plan.algorithm)
    CHECK(other.levels == algorithm.levels && other.rank == algorithm.rank &&
              other.value_bits == algorithm.value_bits && other.blocks == algorithm.blocks,
          "replicas differ in levels, rank, value_bits or blocks");
  if (recipe.compressor && recipe.compressor->make) recipe.compressor->make(*this, plan.algorithm);
}

template <class Backend>
void Nodes<Backend>::allocate_halo(int halo_slots) {
  if (halo_slots == extent.halo) return;
  extent.halo = halo_slots;
  state.resize(planned_state(arrays, recipe, extent));
  std::vector<std::int64_t> entries = message_entries.to_host();
  entries.resize(extent.rows + extent.halo, extent.entries);
  message_entries = {backend, entries};
  own_begin = {backend, 1, static_cast<int>(entries.size()) + 1};
  own_weight = {backend, std::vector<float>(entries.size(), 1.0f)};
  workspace = workspace_to_mix(backend, extent);
}

template <class Backend>
SgdUpdate Nodes<Backend>::sgd() const {
  return {.x = state.local(state::x),
          .momentum = state.local(state::momentum),
          .gradient = state.local(state::gradient),
          .u = list(state::u),
          .settings = settings.span(),
          .nesterov = recipe.optimizer.nesterov,
          .diverged = diverged.span(),
          .z = recipe.method.block_weights ? state.local(state::z) : MatrixView<float>{},
          .steps = recipe.method.steps_into ? state.local(*recipe.method.steps_into) : MatrixView<float>{}};
}

template <class Backend>
void Nodes<Backend>::round_entries(const Array<float>& v) {
  if (algorithm.value_bits == 32) return;
  round_values(backend, {.v = state.local(v), .messages = messages(), .entries = message_entries.span()});
}

template <class Backend>
void Nodes<Backend>::count(const Outgoing<Backend>& outgoing, std::span<const std::int64_t> copies, Due due) {
  const Traffic traffic{.copies = copies, .each = outgoing.bytes.span(), .sent = sent.view(), .due = due};
  if (!outgoing.message.compressed || !recipe.compressor->differs_on_wire) return add_traffic(backend, traffic);
  const std::span<const std::int64_t> entries = message_entries.span().first(shard.rows());
  add_traffic(backend, traffic, {.layout = backend_layout, .messages = messages(), .entries = entries});
}

template class Nodes<Cpu>;
template class Nodes<Cuda>;

}  // namespace sparsepush
