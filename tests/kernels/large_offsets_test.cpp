// Ops on arrays beyond 2^31 and 2^33 elements: offsets are 64 bits wide. Only what stands at the end is looked at.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/layers/gather_batch.h"
#include "kernels/messages/row_packets.h"
#include "kernels/messages/topk/update_select.h"
#include "kernels/messages/traffic.h"
#include "kernels/mixing/dense_mix.h"
#include "kernels/mixing/push_sum_mix.h"
#include "kernels/mixing/update_mix.h"
#include "kernels/nodes/statistics.h"
#include "tests/backends.h"
#include "tests/kernels/large_matrix.h"

namespace sparsepush {
namespace {

constexpr int kRows = 33, kCols = 1 << 28;  // the last row begins at 2^33, or quad 2^31: of ops that touch little of it
constexpr int kFullCols = 1 << 26;
/// For ops that go through whole arrays, which only on the simulated GPU can be left out.
template <class Backend>
constexpr int kFullRows = std::is_same_v<Backend, Cpu> ? 33 : 129;
constexpr unsigned kAllBlocks = ~0u;

template <class Backend>
class LargeOffsetsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(LargeOffsetsOn, BackendsInHostMemory);

/// The same for ops that on the Cpu go through whole arrays.
template <class Backend>
class FullLargeOffsetsOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (kSanitized && std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "takes minutes with a sanitizer";
  }
};
TYPED_TEST_SUITE(FullLargeOffsetsOn, BackendsInHostMemory);

/// Two tensors of `size` elements, one at each end of a row, as if everything between them were padding.
RowLayout layout_with_gap(std::int64_t size) {
  return {.segments = {{.begin = 0, .packed_begin = 0, .size = size},
                       {.begin = kCols - size, .packed_begin = size, .size = size}},
          .paddings = {{.end = size, .before = 0}, {.end = kCols, .before = kCols - 2 * size}},
          .row = kCols,
          .params = 2 * size};
}

/// What an SGD step of x, momentum 2 and gradient 4 is taken with: the momentum becomes 5, and x smaller by 2.5.
struct StepArrays {
  LargeMatrix<float> x, momentum, gradient;
  std::vector<double> u;
  std::vector<SgdSettings> settings = {{.lr = 0.5f, .momentum = 0.5f, .weight_decay = 0}};
  std::vector<std::uint8_t> diverged;

  StepArrays(int rows, int cols)
      : x(rows, cols), momentum(rows, cols), gradient(rows, cols), u(rows, 1.0), diverged(rows, 0) {}

  void fold() {
    for (LargeMatrix<float>* array : {&x, &momentum, &gradient}) array->fold();
  }
  void set(int row, int col, float value) {
    x.view().row(row)[col] = value;
    momentum.view().row(row)[col] = 2;
    gradient.view().row(row)[col] = 4;
  }
  SgdUpdate update() {
    return {.x = x.view(),
            .momentum = momentum.view(),
            .gradient = gradient.view(),
            .u = u,
            .settings = settings,
            .nesterov = false,
            .diverged = diverged};
  }
};

TYPED_TEST(LargeOffsetsOn, SgdUpdate) {
  StepArrays step(kRows, kCols);
  step.set(kRows - 1, kCols - 1, 7);
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    sgd_update(backend, layout_on(backend, layout_with_gap(64)), step.update());
  });
  EXPECT_EQ(step.x.view().row(kRows - 1)[kCols - 1], 4.5f);
  EXPECT_EQ(step.momentum.view().row(kRows - 1)[kCols - 1], 5.0f);
}

/// The last node hears the one before it: x = x / 2 + theirs / 2. Others keep what they have.
struct LastEdge {
  std::vector<std::int64_t> begin;
  std::vector<std::int32_t> slot;
  std::vector<float> weight = {0.5f}, self_weight;

  explicit LastEdge(int nodes) : begin(nodes, 0), slot{nodes - 2}, self_weight(nodes, 0.0f) {
    begin.push_back(1);
    self_weight.back() = -0.5f;
  }
  RoundEdges edges() const { return {begin, slot, weight, self_weight}; }
};

TYPED_TEST(FullLargeOffsetsOn, UpdateMix) {
  constexpr int kNodes = kFullRows<TypeParam>;
  StepArrays step(kNodes, kFullCols);
  if (std::is_same_v<TypeParam, Cpu>) step.fold();
  step.set(kNodes - 2, kFullCols - 1, 2);
  step.set(kNodes - 1, kFullCols - 1, 4);
  const LastEdge edge(kNodes);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{kFullCols});
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    update_mix(backend, layout_on(backend, layout), {.sgd = step.update(), .edges = edge.edges()});
  });
  EXPECT_EQ(step.x.view().row(kNodes - 1)[kFullCols - 1], 1.5f / 2 - 0.5f / 2);
  EXPECT_EQ(step.momentum.view().row(kNodes - 1)[kFullCols - 1], 5.0f);
}

template <class Backend>
void expect_last_node_densely_mixed(const LargeMatrix<float>& x) {
  const auto [data, rows, cols] = x.view();
  x.view().row(rows - 2)[cols - 1] = 2;
  x.view().row(rows - 1)[cols - 1] = 4;
  const LastEdge edge(rows);
  run_last_blocks<Backend>(8, [&](const Backend& backend) {
    const Buffer<Backend, float> workspace(backend, 1, static_cast<int>(dense_mix_workspace(rows, cols)));
    dense_mix(backend, {.x = x.view(), .q = x.view(), .edges = edge.edges(), .workspace = workspace.span()});
  });
  EXPECT_EQ(x.view().row(rows - 1)[cols - 1], 3.0f);
}

TYPED_TEST(FullLargeOffsetsOn, DenseMix) {
  LargeMatrix<float> x(kFullRows<TypeParam>, kFullCols);
  if (std::is_same_v<TypeParam, Cpu>) x.fold();
  expect_last_node_densely_mixed<TypeParam>(x);
}

/// On a GPU so many nodes are mixed in panels in global memory. The Cpu would touch all of them.
TYPED_TEST(FullLargeOffsetsOn, DenseMixOfManyNodes) {
  if (std::is_same_v<TypeParam, Cpu>) GTEST_SKIP() << "the Cpu has no other way for many nodes";
  expect_last_node_densely_mixed<TypeParam>(LargeMatrix<float>(9000, 1 << 19));
}

/// The last two nodes' messages: three entries of one value, at the end of the row.
struct LargeMessages {
  LargeMatrix<std::int32_t> position{kRows, kCols};
  LargeMatrix<float> value{kRows, kCols};
  std::vector<std::int64_t> entries = std::vector<std::int64_t>(kRows, 0);

  LargeMessages() {
    for (const int node : {kRows - 2, kRows - 1}) {
      entries[node] = 3;
      int k = 0;
      for (const int before_end : {100, 50, 1}) {
        position.view().row(node)[k] = kCols - before_end;
        value.view().row(node)[k++] = static_cast<float>(node);
      }
    }
  }
  Messages view() const { return {position.view(), value.view()}; }
};

/// The last node hears all others, so that on a GPU its row is cut into as many parts as there are.
TYPED_TEST(LargeOffsetsOn, PushSumMix) {
  const LargeMessages messages;
  LargeMatrix<float> x(kRows, kCols);
  LastEdge edges(kRows);
  edges.slot.resize(kRows - 1);
  std::iota(edges.slot.begin(), edges.slot.end(), 0);
  edges.weight.assign(kRows - 1, 0.5f);
  edges.begin.back() = kRows - 1;
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    push_sum_mix(backend,
                 {.x = x.view(), .messages = messages.view(), .entries = messages.entries, .edges = edges.edges()});
  });
  for (const int before_end : {100, 50, 1})
    EXPECT_EQ(x.view().row(kRows - 1)[kCols - before_end], (kRows - 2) / 2.0f - (kRows - 1) / 2.0f);
}

TYPED_TEST(LargeOffsetsOn, Traffic) {
  const LargeMessages messages;
  const RowLayout layout = layout_with_gap(200);
  const std::int64_t wanted = 13 + 3 * 4 + (2 + 1 + 1);  // gaps: 300, 49, 48
  std::vector<std::int64_t> sent(kSentCounts * kRows, 1);
  const std::vector<std::int64_t> copies(kRows, 2);
  const std::vector<MessageBytes> each(1);
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    const auto layout_there = layout_on(backend, layout);
    const Traffic traffic{.copies = copies, .each = each, .sent = {sent.data(), kSentCounts, kRows}};
    add_traffic(backend, traffic, {.layout = layout_there, .messages = messages.view(), .entries = messages.entries});
  });
  EXPECT_EQ(sent[(kWireBytes + 1) * kRows - 1], 1 + 2 * wanted);
}

constexpr std::int64_t kTensors[] = {5000, 10000};  // on a GPU one takes a tile, the other several
constexpr int kKept = 2;

void expect_kept_at_both_ends(const LargeMatrix<float>& v, const LargeMatrix<std::int32_t>& position,
                              const LargeMatrix<float>& value) {
  const std::int32_t* last = position.view().row(kRows - 1);
  EXPECT_EQ(std::vector<std::int32_t>(last, last + 2 * kKept),
            (std::vector<std::int32_t>{3, 4, kCols - 4993, kCols - 1}));
  EXPECT_EQ(value.view().row(kRows - 1)[2 * kKept - 1], -5.0f);
  EXPECT_EQ(v.view().row(kRows - 1)[kCols - 1], 0.0f);
}

/// In the last row, at both of its ends.
void set_largest(const LargeMatrix<float>& v) {
  float* row = v.view().row(kRows - 1);
  row[3] = 2, row[4] = 1, row[kCols - 4993] = 3, row[kCols - 1] = -5;
}

template <class Backend>
SelectionMemory<Backend> memory_for(const Backend& backend, std::int64_t tensor) {
  const RowLayout layout = layout_with_gap(tensor);
  return {backend,
          kRows,
          layout,
          {make_topk_plan(layout, TopkScope::kLayer, static_cast<double>(kKept) / static_cast<double>(tensor))}};
}

TYPED_TEST(LargeOffsetsOn, TopkSelect) {
  for (const std::int64_t tensor : kTensors) {
    const LargeMatrix<float> v(kRows, kCols), value(kRows, kCols);
    const LargeMatrix<std::int32_t> position(kRows, kCols);
    set_largest(v);
    run_last_blocks<TypeParam>(kAllBlocks, [&](const TypeParam& backend) {
      auto memory = memory_for(backend, tensor);
      topk_select(backend, memory, v.view(), {position.view(), value.view()});
    });
    expect_kept_at_both_ends(v, position, value);
  }
}

TYPED_TEST(LargeOffsetsOn, UpdateSelect) {
  for (const std::int64_t tensor : kTensors) {
    StepArrays step(kRows, kCols);
    const LargeMatrix<float> error(kRows, kCols), value(kRows, kCols);
    const LargeMatrix<std::int32_t> position(kRows, kCols);
    set_largest(error);
    step.set(kRows - 1, kCols - 1, -2.5f);  // x becomes -5, and v = x + e
    error.view().row(kRows - 1)[kCols - 1] = 0;
    run_last_blocks<TypeParam>(kAllBlocks, [&](const TypeParam& backend) {
      auto memory = memory_for(backend, tensor);
      update_select(backend, memory,
                    {.sgd = step.update(), .error = error.view(), .messages = {position.view(), value.view()}});
    });
    expect_kept_at_both_ends(error, position, value);
  }
}

/// Fewer columns: the sums are in host memory.
TYPED_TEST(FullLargeOffsetsOn, Statistics) {
  constexpr int kNodes = 129, kParams = 1 << 24;
  LargeMatrix<float> x(kNodes, kParams);
  x.fold();
  x.view().row(kNodes - 2)[kParams - 1] = 1;
  x.view().row(kNodes - 1)[kParams - 1] = 4;
  std::vector<double> sums(kParams), center(kParams), distance(kNodes), norm(kNodes);
  const std::vector<double> u(kNodes, 2.0);
  center.back() = -1;
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    add_rows(backend, x.view(), 0, sums);
    squared_distances(backend, x.view(), u, center, distance);
    squared_norms(backend, x.view(), norm);
  });
  EXPECT_EQ(sums.back(), 5);
  EXPECT_EQ(distance.back(), 9);
  EXPECT_EQ(norm.back(), 16);
}

TYPED_TEST(FullLargeOffsetsOn, RowPackets) {
  constexpr int kNodes = kFullRows<TypeParam>;
  LargeMatrix<float> x(kNodes, kFullCols), packets(kNodes, kFullCols);
  if (std::is_same_v<TypeParam, Cpu>) {
    x.fold();
    packets.fold();
  }
  const auto bytes_of = [](const LargeMatrix<float>& matrix) {
    return std::as_writable_bytes(std::span(matrix.view().data, matrix.view().size()));
  };
  float &last = x.view().row(kNodes - 1)[kFullCols - 1], &packed = packets.view().row(kNodes - 1)[kFullCols - 1];
  last = 7;
  const std::vector<PacketArray> arrays = {{bytes_of(x).data(), sizeof(float) * kFullCols}};
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    pack_rows(backend, {.arrays = arrays, .packets = bytes_of(packets)});
    backend.synchronize();
    EXPECT_EQ(packed, 7.0f);
    packed = 9;
    unpack_rows(backend, {.arrays = arrays, .packets = bytes_of(packets)});
  });
  EXPECT_EQ(last, 9.0f);
}

TYPED_TEST(LargeOffsetsOn, GatherBatch) {
  constexpr int kSamples = (1 << 23) + 1, kFeatures = 512;
  const LargeMatrix<std::uint8_t> bytes(kSamples, kFeatures), label(1, kSamples);
  bytes.view().row(kSamples - 1)[kFeatures - 1] = 7;
  label.view().data[kSamples - 1] = 9;
  const std::vector<std::int64_t> begin = {0, 1};
  const std::vector<std::int32_t> sample = {kSamples - 1}, identity = {0};
  const std::vector<std::uint64_t> seed = {1};
  const std::int64_t step = 0;
  const std::vector<ByteScale> channel(1);
  std::vector<float> input(kFeatures);
  std::vector<std::int32_t> input_label(1);
  run_last_blocks<TypeParam>(kAllBlocks, [&](const TypeParam& backend) {
    gather_batch(backend, {.set = {.bytes = bytes.view(),
                                   .label = {label.view().data, kSamples},
                                   .image = {.width = kFeatures},
                                   .channel = channel},
                           .owned = {begin, sample},
                           .batch = 1,
                           .step = &step,
                           .seed = seed,
                           .identity = identity,
                           .input = {input.data(), 1, kFeatures},
                           .label = input_label});
  });
  EXPECT_EQ(input.back(), 7.0f);
  EXPECT_EQ(input_label.back(), 9);
}

TYPED_TEST(FullLargeOffsetsOn, LoadSamples) {
  constexpr int kNodes = 2049, kFeatures = 1 << 20;
  LargeMatrix<float> input(kNodes, kFeatures);
  input.fold();
  const LargeMatrix<std::uint8_t> bytes(1, kFeatures);
  bytes.view().data[kFeatures - 1] = 7;
  const std::vector<std::uint8_t> label = {9};
  const std::vector<ByteScale> channel(1);
  std::vector<std::int32_t> input_label(kNodes);
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    const SampleView set{.bytes = bytes.view(), .label = label, .image = {.width = kFeatures}, .channel = channel};
    load_samples(backend, set, {.first = 0, .count = 1}, input.view(), input_label);
  });
  EXPECT_EQ(input.view().row(kNodes - 1)[kFeatures - 1], 7.0f);
}

}  // namespace
}  // namespace sparsepush
