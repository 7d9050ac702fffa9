#include "kernels/messages/random_k.h"

#include <algorithm>
#include <type_traits>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/permutation_block.h"

namespace sparsepush {
namespace {

constexpr std::uint64_t kWholeRow = 0xffff'ffff;

/// Words of the set of positions that a replica has drawn.
template <class Backend>
int drawn_words(const RowLayout& layout) {
  return std::is_same_v<Backend, Cuda> ? static_cast<int>(divide_up(layout.row, 32)) : 0;
}

std::int64_t most_groups(const std::vector<TopkPlan>& plans) {
  std::size_t most = 0;
  for (const TopkPlan& plan : plans) most = std::max(most, plan.groups.size());
  return static_cast<std::int64_t>(most);
}

std::int64_t most_entries_of(const std::vector<TopkPlan>& plans) {
  std::int64_t most = 0;
  for (const TopkPlan& plan : plans) most = std::max(most, plan.entries);
  return most;
}

std::vector<RandomGroup> all_groups(const RowLayout& layout, const std::vector<TopkPlan>& plans) {
  std::vector<RandomGroup> all;
  for (const TopkPlan& plan : plans) {
    std::vector<RandomGroup> groups = random_groups(layout, plan);
    groups.resize(most_groups(plans), {.message_begin = plan.entries});
    all.insert(all.end(), groups.begin(), groups.end());
  }
  return all;
}

std::vector<std::int64_t> entries_of(const std::vector<TopkPlan>& plans) {
  std::vector<std::int64_t> entries;
  for (const TopkPlan& plan : plans) entries.push_back(plan.entries);
  return entries;
}

/// Writes the group's unpadded indices in the order in which they are drawn.
void draw_indices(const RandomGroup& group, const Draw& draw, VectorLevel level, std::int32_t* index) {
  PermutationBlock block{.draw = draw, .count = static_cast<std::uint32_t>(group.size)};
  block.step.fill(static_cast<std::uint32_t>(draw.step));
  for (std::int64_t begin = 0; begin < group.entries; begin += PermutationBlock::kLanes) {
    const std::int64_t live = std::min<std::int64_t>(PermutationBlock::kLanes, group.entries - begin);
    for (std::int64_t i = 0; i < PermutationBlock::kLanes; ++i)
      block.index[i] = static_cast<std::uint32_t>(begin + std::min(i, live - 1));
    permute(&block, level);
    for (std::int64_t i = 0; i < live; ++i)
      index[begin + i] = static_cast<std::int32_t>(group.first + std::int64_t{block.index[i]});
  }
}

/// Replaces ascending unpadded indices by positions.
void add_padding(const RowLayout& layout, std::span<std::int32_t> index) {
  auto segment = layout.segments.begin();
  for (std::int32_t& i : index) {
    while (i >= segment->packed_begin + segment->size) ++segment;
    i = static_cast<std::int32_t>(segment->begin + i - segment->packed_begin);
  }
}

}  // namespace

std::vector<RandomGroup> random_groups(const RowLayout& layout, const TopkPlan& plan) {
  std::vector<RandomGroup> groups;
  for (const TopkGroup& group : plan.groups)
    groups.push_back({.node = plan.scope == TopkScope::kGlobal ? kWholeRow : static_cast<unsigned>(group.first_segment),
                      .first = layout.segments[group.first_segment].packed_begin,
                      .size = group.size,
                      .entries = group.entries,
                      .message_begin = group.message_begin});
  return groups;
}

template <class Backend>
RandomPlans<Backend>::RandomPlans(const Backend& backend, const RowLayout& layout, const std::vector<TopkPlan>& plans)
    : most_entries(most_entries_of(plans)),
      groups(backend, static_cast<int>(plans.size()), static_cast<int>(most_groups(plans)), all_groups(layout, plans)),
      entries(backend, entries_of(plans)),
      drawn(backend, static_cast<int>(plans.size()), drawn_words<Backend>(layout)) {}

template <class Backend>
std::int64_t RandomPlans<Backend>::bytes(int replicas, const RowLayout& layout, const TopkPlan& plan) {
  const std::size_t each = plan.groups.size() * sizeof(RandomGroup) + sizeof(plan.entries) +
                           drawn_words<Backend>(layout) * sizeof(std::uint32_t);
  return replicas * static_cast<std::int64_t>(each);
}

template struct RandomPlans<Cpu>;
template struct RandomPlans<Cuda>;

void check_random_k_shapes(const RowLayout& layout, std::int64_t replicas, std::int64_t most_entries,
                           const RandomK& round) {
  CHECK(round.v.cols == layout.row, "v ", round.v, ", row ", layout.row);
  CHECK(replicas > 0 && round.v.rows % replicas == 0 && std::ssize(round.draws.seed) == replicas, "plans ", replicas,
        ", seeds ", round.draws.seed.size(), ", v ", round.v);
  CHECK(round.draws.round != nullptr, "no round");
  CHECK(round.messages.position.rows >= round.v.rows && round.messages.position.cols >= most_entries, "positions ",
        round.messages.position, ", entries ", most_entries, ", v ", round.v);
  CHECK(round.messages.value.rows == round.messages.position.rows &&
            round.messages.value.cols == round.messages.position.cols,
        "positions ", round.messages.position, ", values ", round.messages.value);
}

void random_k(const Cpu& cpu, const RowLayout& layout, const RandomPlans<Cpu>& plans, const RandomK& round) {
  const MatrixView<RandomGroup> groups = plans.groups.view();
  check_random_k_shapes(layout, groups.rows, plans.most_entries, round);
  const int nodes = round.v.rows / groups.rows;
  if (nodes == 0) return;
  cpu.pool().run(static_cast<std::int64_t>(groups.size()), [&](std::int64_t item, int) {
    const std::int64_t replica = item / groups.cols;
    const RandomGroup& group = groups.data[item];
    std::int32_t* const position = round.messages.position.row(replica * nodes) + group.message_begin;
    const Draw draw{.seed = round.draws.seed[replica],
                    .purpose = Purpose::kCompress,
                    .node = group.node,
                    .step = static_cast<std::uint64_t>(*round.draws.round)};
    draw_indices(group, draw, cpu.vector_level(), position);
    std::sort(position, position + group.entries);
    add_padding(layout, {position, static_cast<std::size_t>(group.entries)});
  });
  cpu.pool().run(round.v.rows, [&](std::int64_t row, int) {
    const std::int64_t replica = row / nodes, entries = plans.entries.span()[replica];
    const std::int32_t* const drawn = round.messages.position.row(replica * nodes);
    std::int32_t* const position = round.messages.position.row(row);
    if (position != drawn) std::copy_n(drawn, entries, position);
    for (std::int64_t i = 0; i < entries; ++i) {
      float& v = round.v.row(row)[drawn[i]];
      round.messages.value.row(row)[i] = v;
      v = 0;
    }
  });
}

}  // namespace sparsepush
