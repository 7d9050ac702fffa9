#include "kernels/messages/traffic.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

using Counts = std::vector<std::int64_t>;  ///< [kSentCounts, nodes], messages first

template <class Backend>
class TrafficOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(TrafficOn, Backends);

TYPED_TEST(TrafficOn, AddsTheBytesOfTheReplicaOncePerCopy) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const Buffer<TypeParam, std::int64_t> copies(backend, {3, 0, 1, 2});
    const Buffer<TypeParam, MessageBytes> each(backend, {{10, 20, 30, 40}, {1, 2, 3, 4}});
    const Buffer<TypeParam, std::int64_t> sent(backend, kSentCounts, 4);
    for (const int times : {1, 2}) {
      add_traffic(backend, {.copies = copies.span(), .each = each.span(), .sent = sent.view()});
      Counts wanted = {3, 0, 1, 2, 30, 0, 1, 2, 60, 0, 2, 4, 90, 0, 3, 6, 120, 0, 4, 8};
      for (std::int64_t& count : wanted) count *= times;
      EXPECT_EQ(sent.to_host(), wanted);
    }
  });
}

TYPED_TEST(TrafficOn, CountsReplicasThatAreDue) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const Buffer<TypeParam, std::int64_t> copies(backend, {3, 1, 1, 2});
    const Buffer<TypeParam, MessageBytes> each(backend, {{10, 20, 30, 40}, {1, 2, 3, 4}});
    const Buffer<TypeParam, std::int32_t> due(backend, std::vector<std::int32_t>{0, 1});
    const Buffer<TypeParam, std::int64_t> sent(backend, kSentCounts, 4);
    add_traffic(backend, {.copies = copies.span(), .each = each.span(), .sent = sent.view(), .due = due.span()});
    EXPECT_EQ(sent.to_host(), (Counts{0, 0, 1, 2, 0, 0, 1, 2, 0, 0, 2, 4, 0, 0, 3, 6, 0, 0, 4, 8}));
  });
}

TYPED_TEST(TrafficOn, TakesTheSizeOfEveryNodesOwnMessage) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3, 300});  // in a row position 4 is index 3
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, std::int32_t> position(backend, 3, 2, std::vector<std::int32_t>{0, 4, 1, 200, 0, 1});
    const Buffer<TypeParam, float> value(backend, 3, 2);
    const Buffer<TypeParam, std::int64_t> entries(backend, {1, 2}), copies(backend, {3, 2});
    const Buffer<TypeParam, MessageBytes> each(backend, std::vector<MessageBytes>{{10, 20, 30, 40}});
    const Buffer<TypeParam, std::int64_t> sent(backend, kSentCounts, 2, Counts{0, 0, 0, 0, 0, 0, 100, 0, 0, 0});
    add_traffic(backend, {.copies = copies.span(), .each = each.span(), .sent = sent.view()},
                {.layout = layout_on(backend, layout),
                 .messages = Messages{position.view(), value.view()},
                 .entries = entries.span()});
    EXPECT_EQ(sent.to_host(),
              (Counts{3, 2, 30, 20, 60, 40, 100 + 3 * (30 + 13 + 4 + 1), 2 * (30 + 13 + 8 + 1 + 2), 120, 80}));
  });
}

/// More nodes than blocks or threads of any launch, and numbers beyond 32 bits.
TYPED_TEST(TrafficOn, IsAddedForManyNodes) {
  constexpr int kNodes = 3500;
  constexpr std::int64_t kMany = std::int64_t{3} << 31;
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1000});
  Counts copies(kNodes), before(kSentCounts * kNodes), fixed, sized;
  for (int i = 0; i < kNodes; ++i) copies[i] = i % 7;
  for (int i = 0; i < kSentCounts * kNodes; ++i) before[i] = std::int64_t{i} << 32;
  fixed = sized = before;
  for (int i = 0; i < kNodes; ++i) {
    for (const SentCount count : {kMessagesSent, kAuthorsBytes, kCoo32Bytes, kWireBytes, kDenseBytes}) {
      const std::int64_t each = count == kMessagesSent ? 1 : count * kMany;
      fixed[count * kNodes + i] += copies[i] * each;
      sized[count * kNodes + i] += copies[i] * (count == kWireBytes ? each + 13 + 4 + 1 : each);
    }
  }
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, std::int32_t> position(backend, kNodes, 1);
    const Buffer<TypeParam, float> value(backend, kNodes, 1);
    const Buffer<TypeParam, std::int64_t> entries(backend, Counts(kNodes, 1)), sending(backend, copies);
    const Buffer<TypeParam, MessageBytes> each(backend,
                                               std::vector<MessageBytes>(7, {kMany, 2 * kMany, 3 * kMany, 4 * kMany}));
    Buffer<TypeParam, std::int64_t> sent(backend, kSentCounts, kNodes, before);
    const Traffic traffic{.copies = sending.span(), .each = each.span(), .sent = sent.view()};
    add_traffic(backend, traffic);
    EXPECT_EQ(sent.to_host(), fixed);
    sent.assign(before);
    add_traffic(backend, traffic,
                {.layout = layout_on(backend, layout),
                 .messages = Messages{position.view(), value.view()},
                 .entries = entries.span()});
    EXPECT_EQ(sent.to_host(), sized);
  });
}

TEST(Traffic, RefusesListsOfAnotherLength) {
  const Cpu cpu = tested_cpu(1);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{4});
  const Buffer<Cpu, std::int32_t> position(cpu, 2, 1);
  const Buffer<Cpu, float> value(cpu, 2, 1);
  const Buffer<Cpu, std::int64_t> sent(cpu, kSentCounts, 2), few_counts(cpu, kSentCounts - 1, 2);
  const std::vector<std::int64_t> one = {1}, two = {1, 1};
  const std::vector<MessageBytes> each(1), three(3);
  const std::vector<std::int32_t> due(2);
  const SizedMessagesOf<Cpu> messages{layout, Messages{position.view(), value.view()}, two};
  for (const Traffic& traffic :
       {Traffic{one, each, sent.view()}, Traffic{two, three, sent.view()}, Traffic{two, {}, sent.view()},
        Traffic{two, each, sent.view(), due}, Traffic{two, each, few_counts.view()}}) {
    EXPECT_THROW(add_traffic(cpu, traffic), std::invalid_argument);
    EXPECT_THROW(add_traffic(cpu, traffic, messages), std::invalid_argument);
  }
  const SizedMessagesOf<Cpu> short_list{layout, Messages{position.view(), value.view()}, one};
  EXPECT_THROW(add_traffic(cpu, {two, each, sent.view()}, short_list), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
