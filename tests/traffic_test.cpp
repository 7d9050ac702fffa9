#include "kernels/traffic.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/buffer.h"

namespace sparsepush {
namespace {

TEST(WireTraffic, AddsTheMessageOfEveryNodeOncePerCopy) {
  const Cpu cpu(1);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3, 300});  // in a row position 4 is index 3
  const Buffer<Cpu, std::int32_t> position(cpu, 3, 2, std::vector<std::int32_t>{0, 4, 1, 200, 0, 1});
  const Buffer<Cpu, float> value(cpu, 3, 2);
  const std::vector<std::int64_t> entries = {1, 2}, copies = {3, 2};
  std::vector<std::int64_t> bytes = {100, 0};
  add_wire_traffic(cpu, {.layout = layout,
                         .messages = Messages{position.view(), value.view()},
                         .entries = entries,
                         .copies = copies,
                         .bytes = bytes});
  EXPECT_EQ(bytes, (std::vector<std::int64_t>{100 + 3 * (13 + 4 + 1), 2 * (13 + 8 + 1 + 2)}));
}

TEST(DenseTraffic, AddsTheGivenBytesOncePerCopy) {
  std::vector<std::int64_t> bytes = {100, 0, 7};
  add_dense_traffic(Cpu(1), std::vector<std::int64_t>{3, 1, 0}, 50, bytes);
  EXPECT_EQ(bytes, (std::vector<std::int64_t>{250, 50, 7}));
}

TEST(Traffic, RefusesListsOfAnotherLength) {
  const Cpu cpu(1);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{4});
  const Buffer<Cpu, std::int32_t> position(cpu, 2, 1);
  const Buffer<Cpu, float> value(cpu, 2, 1);
  const Messages messages{position.view(), value.view()};
  const std::vector<std::int64_t> one = {1}, two = {1, 1};
  std::vector<std::int64_t> bytes(2);
  EXPECT_THROW(add_wire_traffic(cpu, {layout, messages, one, two, bytes}), std::invalid_argument);
  EXPECT_THROW(add_wire_traffic(cpu, {layout, messages, two, one, bytes}), std::invalid_argument);
  EXPECT_THROW(add_dense_traffic(cpu, one, 50, bytes), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
