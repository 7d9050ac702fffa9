#include "kernels/messages/topk/verify_selection.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

constexpr int kNone = -1;

bool same_bits(float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

/// A group's part of one node's message.
struct GroupMessage {
  std::span<const std::int32_t> position;
  std::span<const float> value;
};

/// The positions of the group's `entries` largest elements, in order.
std::vector<std::int32_t> largest_of(const RowLayout& layout, const TopkGroup& group, const std::vector<float>& v) {
  std::vector<std::int32_t> positions;
  for (int s = group.first_segment; s < group.last_segment; ++s) {
    const std::size_t before = positions.size();
    positions.resize(before + layout.segments[s].size);
    std::iota(positions.begin() + before, positions.end(), static_cast<std::int32_t>(layout.segments[s].begin));
  }
  const auto ranks_before = [&](std::int32_t a, std::int32_t b) {
    const std::uint32_t key_a = magnitude_key(v[a]), key_b = magnitude_key(v[b]);
    return key_a != key_b ? key_a > key_b : a < b;
  };
  std::nth_element(positions.begin(), positions.begin() + (group.entries - 1), positions.end(), ranks_before);
  positions.resize(group.entries);
  std::sort(positions.begin(), positions.end());
  return positions;
}

/// Whether the message has the largest elements of v, which error must have lost.
bool is_exact(const RowLayout& layout, const TopkGroup& group, const GroupMessage& message, std::vector<float>& v,
              const float* error) {
  if (!std::ranges::equal(largest_of(layout, group, v), message.position)) return false;
  const auto is_left = [&](std::int32_t p) { return same_bits(error[p], 0.0f); };
  return std::ranges::all_of(message.position, is_left);
}

/// The first group of the node that differs, or kNone.
int first_difference(const RowLayout& layout, const TopkPlan& plan, const float* error, const std::int32_t* position,
                     const float* value) {
  std::vector<float> v(error, error + layout.row);
  for (int g = 0; g < static_cast<int>(plan.groups.size()); ++g) {
    const TopkGroup& group = plan.groups[g];
    const auto entries = static_cast<std::size_t>(group.entries);
    const GroupMessage message{{position + group.message_begin, entries}, {value + group.message_begin, entries}};
    for (std::size_t i = 0; i < entries; ++i) {
      if (message.position[i] < 0 || message.position[i] >= layout.row) return g;
      v[message.position[i]] = message.value[i];
    }
    if (!is_exact(layout, group, message, v, error)) return g;
  }
  return kNone;
}

}  // namespace

void check_verify_selection_shapes(const RowLayout& layout, std::span<const TopkPlan> plans,
                                   MatrixView<const float> error, const ConstMessages& messages) {
  CHECK(error.cols == layout.row, "error ", error, ", row ", layout.row);
  CHECK(!plans.empty() && error.rows % plans.size() == 0, "plans ", plans.size(), ", error ", error);
  CHECK(messages.position.rows >= error.rows && messages.value.rows >= error.rows, "positions ", messages.position,
        ", values ", messages.value, ", error ", error);
  for (const TopkPlan& plan : plans) {
    CHECK(messages.position.cols >= plan.entries && messages.value.cols == messages.position.cols, "positions ",
          messages.position, ", values ", messages.value, ", entries ", plan.entries);
  }
}

void selection_differs(int node, int group) {
  throw std::runtime_error("node " + std::to_string(node) + ", group " + std::to_string(group) +
                           ": the message or the error memory is not that of an exact top-k selection");
}

void verify_selection(const Cpu& cpu, const SelectionMemory<Cpu>& memory, MatrixView<const float> error,
                      const ConstMessages& messages) {
  check_verify_selection_shapes(memory.layout(), memory.plans(), error, messages);
  const int nodes_per_replica = error.rows / static_cast<int>(memory.plans().size());
  std::vector<int> differs(error.rows, kNone);
  cpu.pool().run(error.rows, [&](std::int64_t node, int) {
    differs[node] = first_difference(memory.layout(), memory.plans()[node / nodes_per_replica], error.row(node),
                                     messages.position.row(node), messages.value.row(node));
  });
  for (int node = 0; node < error.rows; ++node)
    if (differs[node] != kNone) selection_differs(node, differs[node]);
}

}  // namespace sparsepush
