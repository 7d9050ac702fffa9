// What the Cpu remembers between selections, and the walk over nodes and groups that its selecting ops share; for the
// sources of these ops only.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "kernels/backend/float_bits.h"
#include "kernels/backend/view.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/topk/running_topk.h"
#include "kernels/messages/topk/selection_memory.h"
#include "kernels/messages/topk/warmth.h"

namespace sparsepush {

/// Selections that one worker does in turn: the groups [first_group, last_group) of the nodes [first_node, last_node),
/// all of one replica.
struct SelectionItem {
  int replica = 0;
  int first_node = 0, last_node = 0;
  int first_group = 0, last_group = 0;
};

template <>
struct SelectionMemory<Cpu>::Contents {
  Contents(const Cpu& cpu, int nodes, const RowLayout& layout, std::span<const TopkPlan> plans);
  static std::int64_t bytes(int nodes, const RowLayout& layout, const TopkPlan& plan, int threads);

  std::vector<SelectionItem> items;        ///< every (node, group) once
  std::vector<std::int64_t> warmth_begin;  ///< [nodes] where a node's part of `warmth` begins
  std::vector<Warmth> warmth;              ///< [nodes, groups of the node's plan]
  std::vector<RunningTopk> selections;     ///< [threads]
};

/// Returns the key that the selection of a group may start from.
std::uint32_t warm_start(const Warmth& warmth, const TopkGroup& group);
/// Moves the selected elements of `row` to a message, leaving +0.
void take(std::span<const std::int32_t> positions, float* row, std::int32_t* position, float* value);

/// Elements that stand in their row already.
struct RowElements {
  const float* row;

  [[gnu::always_inline]] void operator()(std::int64_t begin, std::int64_t count, float* out) const {
    std::copy_n(row + begin, count, out);
  }
};

/// Shows the elements of a group to `topk`. False if fewer than the wanted entries reached the threshold.
template <class Elements>
bool look_at_group(RunningTopk& topk, const RowLayout& layout, const TopkGroup& group, const float* row,
                   std::uint32_t threshold, const Elements& elements) {
  topk.start(row, group.entries, threshold);
  for (int s = group.first_segment; s < group.last_segment; ++s) {
    const Segment& segment = layout.segments[s];
    topk.add(segment.begin, segment.begin + segment.size, elements);
  }
  return topk.finish();
}

inline constexpr float kSecondStart = 0.75f;  ///< a selection that missed starts again from this share of its threshold

/// Selects from every row of v and moves what it selects to the messages. source.elements(node) returns what `collect`
/// takes the row's elements from, so that they may be computed on the way; source.seen(node, bits) is told the largest
/// magnitude bits of each group.
template <class Source>
void select_from_rows(const Cpu& cpu, SelectionMemory<Cpu>& memory, MatrixView<float> v, const Messages& messages,
                      const Source& source) {
  SelectionMemory<Cpu>::Contents& contents = memory.contents();
  const auto select_group = [&](int node, int g, const TopkGroup& group, RunningTopk& topk) {
    Warmth& warmth = contents.warmth[contents.warmth_begin[node] + g];
    float* const row = v.row(node);
    const std::uint32_t start = warm_start(warmth, group);
    bool enough = look_at_group(topk, memory.layout(), group, row, start, source.elements(node));
    source.seen(node, topk.largest());
    for (const std::uint32_t lower : {magnitude_key(kSecondStart * std::bit_cast<float>(start)), 0u}) {
      if (!enough) enough = look_at_group(topk, memory.layout(), group, row, lower, RowElements{row});
    }
    learn(warmth, topk.threshold());
    take(topk.positions(), row, messages.position.row(node) + group.message_begin,
         messages.value.row(node) + group.message_begin);
  };
  cpu.pool().run(std::ssize(contents.items), [&](std::int64_t index, int worker) {
    const SelectionItem& item = contents.items[index];
    for (int node = item.first_node; node < item.last_node; ++node) {
      for (int g = item.first_group; g < item.last_group; ++g) {
        select_group(node, g, memory.plans()[item.replica].groups[g], contents.selections[worker]);
      }
    }
  });
}

}  // namespace sparsepush
