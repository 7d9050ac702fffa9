#include "kernels/layers/conv2d/halo_tiles.h"

#include <gtest/gtest.h>

#include <set>

namespace sparsepush {
namespace {

struct TileCase {
  int height, width, stride, samples, pixels, multiple;
};

/// Every tap of every pixel meets the pixel of the source that it should, or a place of zeros.
void expect_what_taps_meet(const TileCase& c) {
  const ImageShape source{c.height, c.width, 16};
  const ImageShape image{(c.height - 1) / c.stride + 1, (c.width - 1) / c.stride + 1, 16};
  const HaloTiles tiles(
      source, image, c.stride, c.samples,
      {.pixels = c.pixels, .multiple = c.multiple, .bytes = 1 << 20, .position_bytes = 4, .pixel_bytes = 0});
  ASSERT_GT(tiles.lines(), 0);
  EXPECT_LE(tiles.lines() * image.width, c.pixels);
  EXPECT_EQ(tiles.lines() * image.width % c.multiple, 0);
  int seen = 0;
  for (int tile = 0; tile < tiles.count(); ++tile) {
    const int line = tile * tiles.lines();
    ASSERT_LE(tiles.positions(line), tiles.positions());
    std::set<int> pixels;  // none stands twice
    for (int position = 0; position < tiles.positions(line); ++position) {
      const int pixel = tiles.source_pixel(line, position);
      EXPECT_TRUE(pixel < 0 || pixels.insert(pixel).second);
    }
    for (int p = 0; p < tiles.lines() * image.width; ++p) {
      const HaloTiles::Pixel at = tiles.pixel(line, p);
      EXPECT_EQ((at.sample * image.height + at.y) * image.width + at.x, line * image.width + p);
      EXPECT_EQ(p < tiles.pixels(line), at.sample < c.samples);
      for (int tap = 0; tap < 9; ++tap) {
        const int y = at.y * c.stride - 1 + tap / 3, x = at.x * c.stride - 1 + tap % 3;
        const bool inside = at.sample < c.samples && y >= 0 && y < source.height && x >= 0 && x < source.width;
        const int position = tiles.position(line, p) + tiles.tap(tap / 3, tap % 3);
        ASSERT_LT(position, tiles.positions(line));
        ASSERT_EQ(tiles.source_pixel(line, position), inside ? (at.sample * source.height + y) * source.width + x : -1)
            << "line " << line << ", pixel " << p << ", tap " << tap;
      }
    }
    seen += tiles.pixels(line);
  }
  EXPECT_EQ(seen, c.samples * image.pixels());
}

TEST(HaloTiles, TapsMeetTheirPixels) {
  for (const TileCase& c : {TileCase{8, 8, 1, 3, 256, 1}, TileCase{32, 32, 1, 2, 256, 1}, TileCase{7, 7, 1, 10, 128, 8},
                            TileCase{28, 28, 1, 1, 256, 1}, TileCase{14, 14, 1, 3, 128, 8}, TileCase{1, 1, 1, 5, 64, 1},
                            TileCase{16, 16, 2, 3, 128, 1}, TileCase{7, 9, 2, 3, 64, 8}, TileCase{5, 6, 2, 4, 32, 1},
                            TileCase{1, 1, 2, 5, 64, 8}})
    expect_what_taps_meet(c);
}

TEST(HaloTiles, NeighboursReadNeighboursWhateverTheStride) {
  for (const int stride : {1, 2}) {
    const HaloTiles tiles({16, 16, 16}, {16 / stride, 16 / stride, 16}, stride, 1,
                          {.pixels = 64, .multiple = 1, .bytes = 1 << 20, .position_bytes = 4, .pixel_bytes = 0});
    for (int x = 0; x + 1 < 16 / stride; ++x) EXPECT_EQ(tiles.position(0, x + 1), tiles.position(0, x) + 1);
  }
}

TEST(HaloTiles, TilesFitTheirRoomOrThereAreNone) {
  const auto tiles_of = [](int width, std::int64_t bytes, int multiple = 1) {
    return HaloTiles({32, width, 16}, {32, width, 16}, 1, 2,
                     {.pixels = 256, .multiple = multiple, .bytes = bytes, .position_bytes = 80, .pixel_bytes = 100});
  };
  EXPECT_EQ(tiles_of(32, 1 << 20).lines(), 8);
  const HaloTiles fewer = tiles_of(32, 28'000);
  EXPECT_EQ(fewer.lines(), 3);
  EXPECT_LE(fewer.positions() * 80 + 3 * 32 * 100, 28'000);
  EXPECT_EQ(tiles_of(32, 8'000).lines(), 0);
  EXPECT_EQ(tiles_of(257, 1 << 20).lines(), 0) << "wider than a tile";
  EXPECT_EQ(tiles_of(33, 1 << 20, 8).lines(), 0) << "eight lines are more than a tile";
}

TEST(HaloTiles, FewImagesTakeNoMoreLinesThanTheyHave) {
  EXPECT_EQ(HaloTiles({4, 4, 16}, {4, 4, 16}, 1, 1,
                      {.pixels = 256, .multiple = 1, .bytes = 1 << 20, .position_bytes = 4, .pixel_bytes = 0})
                .lines(),
            4);
}

}  // namespace
}  // namespace sparsepush
