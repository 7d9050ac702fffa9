#include "kernels/nodes/row_layout.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

namespace sparsepush {
namespace {

TEST(RowLayout, BeginsEverySegmentAt16Bytes) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1, 4, 5, 3, 8});
  std::vector<std::int64_t> begin, packed;
  for (const Segment& s : layout.segments) {
    begin.push_back(s.begin);
    packed.push_back(s.packed_begin);
  }
  EXPECT_EQ(begin, (std::vector<std::int64_t>{0, 4, 8, 16, 20}));
  EXPECT_EQ(packed, (std::vector<std::int64_t>{0, 1, 5, 10, 13}));
  EXPECT_EQ(layout.row, 28);
  EXPECT_EQ(layout.params, 21);
}

TEST(RowLayout, CountsThePaddingBeforeSegmentsUpToEachGap) {
  std::vector<std::pair<std::int64_t, std::int64_t>> paddings;
  for (const Padding& p : make_row_layout(std::vector<std::int64_t>{4, 1, 4, 8, 5, 3}).paddings)
    paddings.emplace_back(p.end, p.before);
  EXPECT_EQ(paddings, (std::vector<std::pair<std::int64_t, std::int64_t>>{{5, 0}, {25, 3}, {31, 6}}));
}

TEST(RowLayout, PacksAndUnpacksARow) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1, 4, 5});
  std::vector<float> row(layout.row), packed(layout.params), back(layout.row, -1.0f);
  std::iota(row.begin(), row.end(), 0.0f);
  pack_row(layout, row.data(), packed.data());
  EXPECT_EQ(packed, (std::vector<float>{0, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  unpack_row(layout, packed.data(), back.data());
  EXPECT_EQ(back, (std::vector<float>{0, -1, -1, -1, 4, 5, 6, 7, 8, 9, 10, 11, 12, -1, -1, -1}));
}

TEST(RowLayout, OfNothingIsEmpty) {
  const RowLayout layout = make_row_layout({});
  EXPECT_EQ(layout.row, 0);
  EXPECT_EQ(layout.params, 0);
}

TEST(RowLayout, RefusesEmptySegmentsAndRowsBeyond32Bits) {
  EXPECT_THROW(make_row_layout(std::vector<std::int64_t>{4, 0}), std::invalid_argument);
  EXPECT_THROW(make_row_layout(std::vector<std::int64_t>{-1}), std::invalid_argument);
  EXPECT_THROW(make_row_layout(std::vector<std::int64_t>{1 << 30, 1 << 30}), std::invalid_argument);
  EXPECT_NO_THROW(make_row_layout(std::vector<std::int64_t>{1 << 30, (1 << 30) - 8}));
}

}  // namespace
}  // namespace sparsepush
