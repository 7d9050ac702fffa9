// Exact top-k with error memory, layer by layer or over the whole row.
#pragma once
#include <fmt/format.h>

#include <vector>

#include "host/recipe/compressors.h"
#include "host/recipe/message_bytes.h"
#include "host/state/nodes.h"
#include "kernels/messages/topk/topk_select.h"
#include "kernels/messages/topk/update_select.h"
#include "kernels/messages/topk/verify_selection.h"

namespace sparsepush {

inline TopkPlan select_by(const AlgorithmConfig& algorithm, const RowLayout& layout, double keep) {
  return make_topk_plan(layout, algorithm.scope == "global" ? TopkScope::kGlobal : TopkScope::kLayer, keep);
}
inline TopkPlan select_kept(const AlgorithmConfig& algorithm, const RowLayout& layout) {
  return select_by(algorithm, layout, algorithm.keep);
}
inline TopkPlan select_all(const AlgorithmConfig& algorithm, const RowLayout& layout) {
  return select_by(algorithm, layout, 1.0);
}

inline std::vector<TopkPlan> plans_of(const FromSettings<TopkPlan>& select,
                                      const std::vector<AlgorithmConfig>& replicas, const RowLayout& layout) {
  std::vector<TopkPlan> plans;
  for (const AlgorithmConfig& algorithm : replicas) plans.push_back(select(algorithm, layout));
  return plans;
}

/// Does the selection again, and compares, if that is wanted.
template <class Backend>
void verify_messages(Nodes<Backend>& n, const Array<float>& v) {
  if (!n.verify) return;
  n.work.host_call([&n, v](std::int64_t) {
    verify_selection(n.backend, n.template made<SelectionMemory<Backend>>(), n[v], n.messages());
  });
}

/// Selects the top k of v's rows: Q into the messages, v <- v - Q.
template <class Backend>
void select(Nodes<Backend>& n, const Array<float>& v) {
  topk_select(n.backend, n.template made<SelectionMemory<Backend>>(), n[v], n.messages());
  verify_messages(n, v);
  n.round_entries(v);
}

/// Selects the top k of X' + E, in one pass with the SGD step.
template <class Backend>
void update_and_select(Nodes<Backend>& n) {
  update_select(n.backend, n.template made<SelectionMemory<Backend>>(),
                {.sgd = n.sgd(), .error = n[state::error], .messages = n.messages()});
  verify_messages(n, state::error);
  n.round_entries(state::error);
}

inline PlannedArray planned_selection(const TopkPlan& plan, const RowLayout& layout, const RunExtent& run) {
  const auto rows = static_cast<int>(divide_up(std::int64_t{run.nodes} * run.replicas, run.shards));
  const auto bytes = run.cuda ? &SelectionMemory<Cuda>::bytes : &SelectionMemory<Cpu>::bytes;
  return {"selection memory", fmt::format("{} workers", run.threads * run.shards),
          run.shards * bytes(rows, layout, plan, run.threads)};
}

/// Returns what compressors have in common that keep the largest entries, as many as `plan` says.
inline Compressor selecting_row(const char* name, const FromSettings<TopkPlan>& plan) {
  return {
      .name = name,
      .messages = {&state::position, &state::value},
      .entries = [plan](const AlgorithmConfig& algorithm,
                        const RowLayout& layout) { return plan(algorithm, layout).entries; },
      .make =
          [plan]<class Backend>(Nodes<Backend>& n, const std::vector<AlgorithmConfig>& replicas) {
            n.keep(SelectionMemory<Backend>(n.backend, n.shard.rows(), n.layout, plans_of(plan, replicas, n.layout)));
          },
      .memory = [plan](const AlgorithmConfig& algorithm, const RowLayout& layout,
                       const RunExtent& run) { return planned_selection(plan(algorithm, layout), layout, run); },
      .compress = [](auto& nodes, const Array<float>& v) { select(nodes, v); },
      .update_and_compress = [](auto& nodes) { update_and_select(nodes); }};
}

inline Compressor top_k_row() {
  Compressor row = selecting_row("top_k", select_kept);
  row.keys = {"scope", "keep", "value_bits"};
  row.averaging_rate = [](const AlgorithmConfig& algorithm) { return algorithm.keep; };
  row.bytes = [](const AlgorithmConfig& algorithm, const RowLayout& layout) {
    return sparse_message_bytes(layout.params, select_kept(algorithm, layout).entries, algorithm.value_bits);
  };
  row.differs_on_wire = true;
  return row;
}

/// Keeps everything: the selection of all entries, counted as the rows that it is.
inline Compressor identity_row() {
  Compressor row = selecting_row("identity", select_all);
  row.averaging_rate = [](const AlgorithmConfig&) { return 1.0; };
  row.can_be_unbiased = true;
  row.bytes = [](const AlgorithmConfig&, const RowLayout& layout) {
    return plain_message_bytes(layout.params, 4 * layout.params + 4);
  };
  return row;
}

}  // namespace sparsepush
