#include "kernels/messages/topk/selection_tiles.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/messages/topk/warmth.h"

namespace sparsepush {
namespace {

// Where a threshold is warm, 2 to 4 elements a kept one are candidates; few kept ones need room for chance.
constexpr std::int64_t kCandidatesPerEntry = 4, kCandidatesAtLeast = 512;
constexpr std::int64_t kSparsest = 16;  // keep more than one of 16, and the candidates would be a large part of all

std::int32_t candidates_room(const TopkGroup& group) {
  if (group.entries * kSparsest > group.size) return 0;
  return static_cast<std::int32_t>((kCandidatesPerEntry * group.entries + kCandidatesAtLeast) / 4 * 4);
}

/// Adds the tiles of one plan in the order of the row.
class TileBuilder {
 public:
  TileBuilder(SelectionTiles& to, int plan) : to_(to), plan_(plan) {}

  void add(const SelectionGroup& group, const TopkGroup& planned) {
    const auto number = static_cast<std::int32_t>(to_.groups.size());
    to_.groups.push_back(group);
    if (group.range.quads() > kWholeTileQuads) return add_large(group, planned);
    SelectionTile* const last = to_.tiles.empty() ? nullptr : &to_.tiles.back();
    const bool joins = last != nullptr && last->plan == plan_ && last->part < 0 && last->last_group == number &&
                       group.range.end - last->range.begin <= kWholeTileQuads;
    if (joins) {
      last->range.end = group.range.end;
      last->last_group = number + 1;
    } else {
      to_.tiles.push_back({.range = group.range, .plan = plan_, .first_group = number, .last_group = number + 1});
    }
  }

 private:
  void add_large(const SelectionGroup& group, const TopkGroup& planned) {
    const std::int64_t quads = group.range.quads(), parts = divide_up(quads, kPartTileQuads);
    const auto first_part = static_cast<std::int32_t>(to_.parts.size());
    const auto large = static_cast<std::int32_t>(to_.large.size());
    for (std::int64_t i = 0; i < parts; ++i) {
      const QuadRange range{group.range.begin + static_cast<std::int32_t>(quads * i / parts),
                            group.range.begin + static_cast<std::int32_t>(quads * (i + 1) / parts)};
      to_.tiles.push_back({.range = range,
                           .plan = plan_,
                           .first_group = 0,
                           .last_group = 0,
                           .large = large,
                           .part = static_cast<std::int32_t>(to_.parts.size())});
      to_.parts.push_back(range);
    }
    const std::int32_t room = candidates_room(planned);
    CHECK(to_.candidates <= std::numeric_limits<std::int32_t>::max() - room, "candidates ", to_.candidates, " + ",
          room);
    to_.large.push_back({.group = group,
                         .plan = plan_,
                         .first_part = first_part,
                         .last_part = static_cast<std::int32_t>(to_.parts.size()),
                         .candidates_begin = to_.candidates,
                         .candidates_room = room,
                         .margin = start_margin(planned.entries)});
    to_.candidates += room;
    to_.most_parts = std::max(to_.most_parts, static_cast<std::int32_t>(parts));
  }

  SelectionTiles& to_;
  int plan_;
};

}  // namespace

SelectionTiles make_selection_tiles(const RowLayout& layout, std::span<const TopkPlan> plans) {
  SelectionTiles tiles;
  for (std::size_t plan = 0; plan < plans.size(); ++plan) {
    TileBuilder builder(tiles, static_cast<int>(plan));
    for (const TopkGroup& group : plans[plan].groups) {
      if (group.size == 0) continue;  // the one of a row without segments
      const Segment &first = layout.segments[group.first_segment], &last = layout.segments[group.last_segment - 1];
      builder.add({.range = {static_cast<std::int32_t>(first.begin / 4),
                             static_cast<std::int32_t>(divide_up(last.begin + last.size, 4))},
                   .entries = static_cast<std::int32_t>(group.entries),
                   .message_begin = static_cast<std::int32_t>(group.message_begin)},
                  group);
    }
    tiles.first_group.push_back(static_cast<std::int32_t>(tiles.groups.size()));
  }
  std::ranges::stable_sort(tiles.tiles, std::greater{}, [](const SelectionTile& tile) { return tile.range.quads(); });
  return tiles;
}

}  // namespace sparsepush
