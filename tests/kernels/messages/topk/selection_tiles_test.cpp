#include "kernels/messages/topk/selection_tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace sparsepush {
namespace {

SelectionTiles tiles_of(const std::vector<std::int64_t>& sizes, const std::vector<double>& keeps, TopkScope scope) {
  const RowLayout layout = make_row_layout(sizes);
  std::vector<TopkPlan> plans;
  for (const double keep : keeps) plans.push_back(make_topk_plan(layout, scope, keep));
  return make_selection_tiles(layout, plans);
}

TEST(SelectionTiles, PacksNeighboursIntoWholeTilesAndDividesLargeGroups) {
  const SelectionTiles tiles = tiles_of({8192, 5, 8187, 1, 8193, 3}, {0.01}, TopkScope::kLayer);
  // 8187 elements do not fit beside the 5 with their padding, and the next one fits beside them; 8193 are too many. The
  // largest come first, in the order of the row where they are equal.
  const std::vector<std::pair<int, int>> wanted = {{0, 2048},    {2050, 4098}, {4098, 4781}, {4781, 5464},
                                                   {5464, 6147}, {2048, 2050}, {6147, 6148}};
  const std::vector<std::pair<int, int>> groups = {{0, 1}, {2, 4}, {0, 0}, {0, 0}, {0, 0}, {1, 2}, {5, 6}};
  ASSERT_EQ(tiles.tiles.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const SelectionTile& tile = tiles.tiles[i];
    EXPECT_EQ(std::pair(tile.range.begin, tile.range.end), wanted[i]);
    EXPECT_EQ(std::pair(tile.first_group, tile.last_group), groups[i]);
    EXPECT_EQ(tile.part, i >= 2 && i < 5 ? static_cast<int>(i) - 2 : -1);
    EXPECT_EQ(tile.large, tile.part < 0 ? -1 : 0);
  }
}

TEST(SelectionTiles, CoverEveryQuadOfEveryPlanOnce) {
  const std::vector<std::int64_t> sizes = {1, 8192, 31, 8193, 4096, 4096, 1, 50000, 7, 7, 100000, 8188, 3};
  const std::int64_t quads = make_row_layout(sizes).row / 4;
  for (const TopkScope scope : {TopkScope::kLayer, TopkScope::kGlobal}) {
    const SelectionTiles tiles = tiles_of(sizes, {0.01, 0.5, 0.001}, scope);
    for (int plan = 0; plan < 3; ++plan) {
      std::vector<int> covered(quads, 0);
      for (const SelectionTile& tile : tiles.tiles) {
        if (tile.plan != plan) continue;
        EXPECT_LE(tile.range.quads(), tile.part < 0 ? kWholeTileQuads : kPartTileQuads);
        for (std::int32_t quad = tile.range.begin; quad < tile.range.end; ++quad) ++covered[quad];
      }
      EXPECT_EQ(covered, std::vector<int>(quads, 1));
    }
  }
}

TEST(SelectionTiles, ComeLargestFirstAndNumberTheirPartsInTheOrderOfTheRow) {
  const SelectionTiles tiles = tiles_of({20, 30000, 9000, 500}, {0.01, 0.02}, TopkScope::kLayer);
  EXPECT_TRUE(std::ranges::is_sorted(tiles.tiles, std::greater{}, [](const auto& tile) { return tile.range.quads(); }));
  ASSERT_EQ(tiles.large.size(), 4u);
  for (const LargeGroup& large : tiles.large) {
    EXPECT_EQ(tiles.parts[large.first_part].begin, large.group.range.begin);
    EXPECT_EQ(tiles.parts[large.last_part - 1].end, large.group.range.end);
    for (int part = large.first_part + 1; part < large.last_part; ++part)
      EXPECT_EQ(tiles.parts[part].begin, tiles.parts[part - 1].end);
  }
  EXPECT_EQ(tiles.large[2].plan, 1);
  EXPECT_EQ(tiles.most_parts, 8);
  EXPECT_EQ(tiles.first_group, (std::vector<std::int32_t>{0, 4, 8}));
}

TEST(SelectionTiles, GiveRoomForCandidatesWhereFewAreKept) {
  const SelectionTiles tiles = tiles_of({16000, 16000}, {0.01, 0.0625, 0.063}, TopkScope::kLayer);
  const std::vector<std::int32_t> room = {4 * 160 + 512, 4 * 160 + 512, 4 * 1000 + 512, 4 * 1000 + 512, 0, 0};
  std::int32_t begin = 0;
  for (std::size_t i = 0; i < room.size(); ++i) {
    EXPECT_EQ(tiles.large[i].candidates_room, room[i]);
    EXPECT_EQ(tiles.large[i].candidates_begin, begin);
    begin += room[i];
  }
  EXPECT_EQ(tiles.candidates, begin);
}

}  // namespace
}  // namespace sparsepush
