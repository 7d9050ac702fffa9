#include "kernels/traffic.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/buffer.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class TrafficOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(TrafficOn, Backends);

TYPED_TEST(TrafficOn, AddsTheMessageOfEveryNodeOncePerCopy) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3, 300});  // in a row position 4 is index 3
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, std::int32_t> position(backend, 3, 2, std::vector<std::int32_t>{0, 4, 1, 200, 0, 1});
    const Buffer<TypeParam, float> value(backend, 3, 2);
    const Buffer<TypeParam, std::int64_t> entries(backend, {1, 2}), copies(backend, {3, 2}), bytes(backend, {100, 0});
    add_wire_traffic(backend, {.layout = layout_on(backend, layout),
                               .messages = Messages{position.view(), value.view()},
                               .entries = entries.span(),
                               .copies = copies.span(),
                               .bytes = bytes.span()});
    EXPECT_EQ(bytes.to_host(), (std::vector<std::int64_t>{100 + 3 * (13 + 4 + 1), 2 * (13 + 8 + 1 + 2)}));
  });
}

/// More nodes than blocks or threads of any launch, and numbers beyond 32 bits.
TYPED_TEST(TrafficOn, IsAddedForManyNodes) {
  constexpr int kNodes = 3500;
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1000});
  std::vector<std::int64_t> copies(kNodes), before(kNodes), after_wire(kNodes), after_both(kNodes);
  for (int i = 0; i < kNodes; ++i) {
    copies[i] = i % 7;
    before[i] = std::int64_t{i} << 32;
    after_wire[i] = before[i] + copies[i] * (13 + 4 + 1);
    after_both[i] = after_wire[i] + copies[i] * (std::int64_t{3} << 31);
  }
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, std::int32_t> position(backend, kNodes, 1);
    const Buffer<TypeParam, float> value(backend, kNodes, 1);
    const Buffer<TypeParam, std::int64_t> entries(backend, std::vector<std::int64_t>(kNodes, 1)), sent(backend, copies),
        bytes(backend, before);
    add_wire_traffic(backend, {.layout = layout_on(backend, layout),
                               .messages = Messages{position.view(), value.view()},
                               .entries = entries.span(),
                               .copies = sent.span(),
                               .bytes = bytes.span()});
    EXPECT_EQ(bytes.to_host(), after_wire);
    add_dense_traffic(backend, sent.span(), std::int64_t{3} << 31, bytes.span());
    EXPECT_EQ(bytes.to_host(), after_both);
  });
}

TYPED_TEST(TrafficOn, AddsTheGivenBytesOncePerCopy) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const Buffer<TypeParam, std::int64_t> copies(backend, {3, 1, 0}), bytes(backend, {100, 0, 7});
    add_dense_traffic(backend, copies.span(), 50, bytes.span());
    EXPECT_EQ(bytes.to_host(), (std::vector<std::int64_t>{250, 50, 7}));
  });
}

TEST(Traffic, RefusesListsOfAnotherLength) {
  const Cpu cpu = tested_cpu(1);
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
