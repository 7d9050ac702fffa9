#include "kernels/messages/topk/verify_selection.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "kernels/backend/check.h"
#include "kernels/backend/float_bits.h"

namespace sparsepush {
namespace {

constexpr int kNone = -1;
constexpr std::int64_t kWaveBytes = 1 << 20;  // that a GPU sends at once: enough to hide the wait for it

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

/// Nodes of one replica that are verified together, in host memory.
struct Wave {
  const RowLayout& layout;
  const TopkPlan& plan;
  int first;                      ///< number of the first one
  MatrixView<const float> error;  ///< [nodes, row]
  ConstMessages messages;         ///< [nodes, entries]
};

void verify_wave(const Cpu& cpu, const Wave& wave) {
  std::vector<int> differs(wave.error.rows, kNone);
  cpu.pool().run(wave.error.rows, [&](std::int64_t node, int) {
    differs[node] = first_difference(wave.layout, wave.plan, wave.error.row(node), wave.messages.position.row(node),
                                     wave.messages.value.row(node));
  });
  const auto found = std::ranges::find_if(differs, [](int group) { return group != kNone; });
  if (found == differs.end()) return;
  throw std::runtime_error("node " + std::to_string(wave.first + (found - differs.begin())) + ", group " +
                           std::to_string(*found) +
                           ": the message or the error memory is not that of an exact top-k selection");
}

template <class Backend>
void check_shapes(const SelectionMemory<Backend>& memory, MatrixView<const float> error,
                  const ConstMessages& messages) {
  CHECK(error.rows == memory.nodes() && error.cols == memory.layout().row, "error ", error, ", nodes ", memory.nodes(),
        ", row ", memory.layout().row);
  CHECK(messages.position.rows >= error.rows && messages.value.rows >= error.rows, "positions ", messages.position,
        ", values ", messages.value, ", error ", error);
  for (const TopkPlan& plan : memory.plans()) {
    CHECK(messages.position.cols >= plan.entries && messages.value.cols == messages.position.cols, "positions ",
          messages.position, ", values ", messages.value, ", entries ", plan.entries);
  }
}

/// The rows in host memory, which `here` owns.
template <class T>
MatrixView<const T> to_host(const Cuda& gpu, MatrixView<const T> rows, std::vector<T>& here) {
  here.resize(rows.size());
  copy(gpu, here.data(), rows.data, rows.size() * sizeof(T));
  return {here.data(), rows.rows, rows.cols};
}

/// As many as kWaveBytes hold, but at least one for every thread.
int nodes_in_wave(const Cpu& cpu, int row, int entries) {
  const std::int64_t bytes =
      row * std::int64_t{sizeof(float)} + entries * std::int64_t{sizeof(float) + sizeof(std::int32_t)};
  return static_cast<int>(std::max<std::int64_t>(kWaveBytes / std::max<std::int64_t>(1, bytes), cpu.threads()));
}

}  // namespace

void verify_selection(const Cpu& cpu, const SelectionMemory<Cpu>& memory, MatrixView<const float> error,
                      const ConstMessages& messages) {
  const auto plans = memory.plans();
  check_shapes(memory, error, messages);
  const int nodes = error.rows / static_cast<int>(plans.size());
  for (int first = 0, replica = 0; first < error.rows; first += nodes, ++replica) {
    verify_wave(cpu, {memory.layout(),
                      plans[replica],
                      first,
                      error.rows_from(first, nodes),
                      {messages.position.rows_from(first, nodes), messages.value.rows_from(first, nodes)}});
  }
}

void verify_selection(const Cuda& gpu, const SelectionMemory<Cuda>& memory, MatrixView<const float> error,
                      const ConstMessages& messages) {
  const auto plans = memory.plans();
  check_shapes(memory, error, messages);
  const Cpu cpu;
  const int nodes = error.rows / static_cast<int>(plans.size());
  const int most = nodes_in_wave(cpu, error.cols, messages.position.cols);
  std::vector<float> error_here, value_here;
  std::vector<std::int32_t> position_here;
  for (int first = 0, count = 0; first < error.rows; first += count) {
    const int replica = first / nodes;
    count = std::min(most, (replica + 1) * nodes - first);
    verify_wave(cpu, {memory.layout(),
                      plans[replica],
                      first,
                      to_host(gpu, error.rows_from(first, count), error_here),
                      {to_host(gpu, messages.position.rows_from(first, count), position_here),
                       to_host(gpu, messages.value.rows_from(first, count), value_here)}});
  }
}

}  // namespace sparsepush
