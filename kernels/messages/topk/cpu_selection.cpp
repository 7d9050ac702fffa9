#include "kernels/messages/topk/cpu_selection.h"

#include <algorithm>

namespace sparsepush {
namespace {

constexpr std::int64_t kItem = 1 << 15;  // elements: enough to hide an item's start, few enough to spread one node
constexpr std::int64_t kColdSize = 256;  // groups up to this size jump between rounds and are cheap to select from

/// Items of about kItem elements over the nodes [first_node, last_node) of a replica: many small nodes, or part of one.
void add_items(std::vector<SelectionItem>& items, const TopkPlan& plan, std::int64_t params, SelectionItem replica) {
  const int groups = static_cast<int>(plan.groups.size());
  if (params <= kItem) {
    const int nodes_per_item = static_cast<int>(kItem / std::max<std::int64_t>(1, params));
    for (int node = replica.first_node; node < replica.last_node; node += nodes_per_item) {
      items.push_back({replica.replica, node, std::min(node + nodes_per_item, replica.last_node), 0, groups});
    }
    return;
  }
  for (int node = replica.first_node; node < replica.last_node; ++node) {
    std::int64_t size = 0;
    for (int first = 0, g = 0; g < groups; ++g) {
      size += plan.groups[g].size;
      if (size < kItem && g + 1 < groups) continue;
      items.push_back({replica.replica, node, node + 1, first, g + 1});
      first = g + 1;
      size = 0;
    }
  }
}

}  // namespace

SelectionMemory<Cpu>::Contents::Contents(const Cpu& cpu, int nodes, const RowLayout& layout,
                                         std::span<const TopkPlan> plans) {
  const int nodes_per_replica = nodes / static_cast<int>(plans.size());
  std::int64_t warmths = 0, most_entries = 0, largest = 0;
  warmth_begin.reserve(nodes);
  for (int replica = 0; replica < static_cast<int>(plans.size()); ++replica) {
    const TopkPlan& plan = plans[replica];
    const int first = replica * nodes_per_replica;
    add_items(items, plan, layout.params, {replica, first, first + nodes_per_replica});
    for (int node = 0; node < nodes_per_replica; ++node) {
      warmth_begin.push_back(warmths);
      warmths += static_cast<std::int64_t>(plan.groups.size());
    }
    for (const TopkGroup& group : plan.groups) {
      most_entries = std::max(most_entries, group.entries);
      largest = std::max(largest, group.size);
    }
  }
  warmth.resize(warmths);
  selections.reserve(cpu.threads());
  for (int worker = 0; worker < cpu.threads(); ++worker)
    selections.emplace_back(most_entries, largest, cpu.vector_level());
}

std::int64_t SelectionMemory<Cpu>::Contents::bytes(int nodes, const RowLayout&, const TopkPlan& plan, int threads) {
  std::int64_t selection = 0;
  for (const TopkGroup& group : plan.groups) {
    selection = std::max(selection, RunningTopk::bytes(group.entries, group.size));
  }
  const auto groups = static_cast<std::int64_t>(plan.groups.size());
  return threads * selection +
         nodes * (groups * static_cast<std::int64_t>(sizeof(Warmth)) + static_cast<std::int64_t>(sizeof(std::int64_t)));
}

std::uint32_t warm_start(const Warmth& warmth, const TopkGroup& group) {
  if (group.size <= kColdSize) return 0;
  return warm_start(warmth, start_margin(group.entries));
}

void take(std::span<const std::int32_t> positions, float* row, std::int32_t* position, float* value) {
  for (std::size_t i = 0; i < positions.size(); ++i) {
    position[i] = positions[i];
    value[i] = row[positions[i]];
    row[positions[i]] = 0;
  }
}

}  // namespace sparsepush
