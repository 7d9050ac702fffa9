#include "kernels/mixing/push_sum_mix.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kAhead = 128;  // entries whose lines of x are on their way from memory while others are added

/// The entries of one message that fall into a tile of the row.
struct MessageTile {
  const std::int32_t* position;
  const float* value;
  std::int64_t entries;
};

/// row += weight * message. Positions within a message are unique, so the order of its entries does not matter.
[[gnu::always_inline]] inline void add_message(float* row, float weight, const MessageTile& tile) {
  const auto add = [&](std::int64_t i) __attribute__((always_inline)) {
    float& x = row[tile.position[i]];
    x = std::fma(weight, tile.value[i], x);
  };
  for (std::int64_t i = 0; i < std::min(kAhead, tile.entries); ++i) __builtin_prefetch(row + tile.position[i], 1);
  std::int64_t i = 0;
  for (; i + kAhead < tile.entries; ++i) {
    __builtin_prefetch(row + tile.position[i + kAhead], 1);
    add(i);
  }
  for (; i < tile.entries; ++i) add(i);
}

MessageTile tile_of(const PushSumMix& mix, std::int64_t slot, std::int64_t begin, std::int64_t end) {
  const std::int32_t* first = mix.messages.position.row(slot);
  const std::int32_t* last = first + mix.entries[slot];
  const std::int32_t* from = begin == 0 ? first : std::lower_bound(first, last, begin);
  const std::int32_t* to = end == mix.x.cols ? last : std::lower_bound(from, last, end);
  return {from, mix.messages.value.row(slot) + (from - first), to - from};
}

/// Divides rows into as many tiles as let few nodes occupy all threads.
std::int64_t tiles_per_node(const Cpu& cpu, const PushSumMix& mix) {
  constexpr std::int64_t kItemsPerThread = 4, kTileEntries = 4096;
  const std::int64_t nodes = std::max(1, mix.x.rows);
  const std::int64_t wanted = cpu.threads() == 1 ? 1 : divide_up(kItemsPerThread * cpu.threads(), nodes);
  return std::clamp<std::int64_t>(mix.messages.position.cols / kTileEntries, 1, wanted);
}

}  // namespace

void check_push_sum_mix_shapes(const PushSumMix& mix) {
  const int slots = mix.messages.position.rows;
  check_round_edges(mix.edges, mix.x.rows, slots, mix.mixed);
  CHECK(mix.messages.value.rows == slots && mix.messages.value.cols == mix.messages.position.cols, "values ",
        mix.messages.value, ", positions ", mix.messages.position);
  CHECK(mix.entries.size() == static_cast<std::size_t>(slots), "entries [", mix.entries.size(), "], slots ", slots);
}

void push_sum_mix(const Cpu& cpu, const PushSumMix& mix) {
  check_push_sum_mix_shapes(mix);
  check_round_edge_values(mix.edges, mix.messages.position.rows, mix.mixed);
  for (const std::int64_t entries : mix.entries) {
    CHECK(entries >= 0 && entries <= mix.messages.position.cols, "entries ", entries, ", positions ",
          mix.messages.position);
  }
  const std::int64_t tiles = tiles_per_node(cpu, mix), row = mix.x.cols;
  cpu.pool().run(mix.x.rows * tiles, [&](std::int64_t item, int) {
    const std::int64_t node = item / tiles;
    if (!is_mixed(mix.edges, mix.mixed, node)) return;
    const std::int64_t begin = item % tiles * row / tiles, end = (item % tiles + 1) * row / tiles;
    const auto add_messages = [&]() __attribute__((always_inline)) {
      add_message(mix.x.row(node), mix.edges.self_weight[node], tile_of(mix, node, begin, end));
      for (std::int64_t e = mix.edges.begin[node]; e < mix.edges.begin[node + 1]; ++e) {
        add_message(mix.x.row(node), mix.edges.weight[e], tile_of(mix, mix.edges.slot[e], begin, end));
      }
    };
    run_vectorized(cpu.vector_level(), add_messages);
  });
}

}  // namespace sparsepush
