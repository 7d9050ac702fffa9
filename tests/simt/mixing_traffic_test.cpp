// Mixing asks for little more memory traffic than it must.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/mixing/dense_mix.h"
#include "kernels/mixing/difference_mix.h"
#include "kernels/mixing/push_sum_mix.h"
#include "kernels/mixing/update_mix.h"
#include "tests/simt/counted_rounds.h"

namespace sparsepush {
namespace {

using simt::traffic_of;

/// One round of a layout.
struct Case {
  std::string layout;
  int nodes, degree;

  std::string name() const { return name_of(layout, degree); }
};
std::vector<Case> cases() {
  return {{"resnet", 3, 1}, {"resnet", 3, 2}, {"resnet", 9, 8}, {"mlp", 100, 1}, {"mlp", 100, 2}, {"mlp", 100, 8}};
}

TEST(MixingTraffic, OfWholeRowsIsNearItsFloor) {
  const Cuda gpu;
  for (const Case& c : cases()) {
    const RowLayout layout = counted_layout(c.layout);
    const int row = static_cast<int>(layout.row);
    const Round round = ring_round(c.nodes, c.degree);
    const RoundOn<Cuda> there(gpu, round);
    const RoundEdges edges = there.edges();
    const Buffer<Cuda, float> x(gpu, c.nodes, row), q(gpu, c.nodes, row);
    const RoundSize size = size_of(c.nodes, layout);
    const auto expect = [&](const char* kernel, const auto& body) {
      const auto launches = traffic_of(body);
      ASSERT_EQ(launches.size(), 1u);
      expect_near_floor(kernel, c.name(), launches[0], size);
    };
    expect("dense_mix", [&] { dense_mix(gpu, {.x = x.view(), .q = x.view(), .edges = edges}); });
    expect("dense_mix apart", [&] { dense_mix(gpu, {.x = x.view(), .q = q.view(), .edges = edges}); });
    expect("difference_mix", [&] { difference_mix(gpu, {.sum = x.view(), .q = q.view(), .edges = edges}); });
    const CountedStep step(gpu, layout, c.nodes);
    const CudaLayout layout_there(gpu, layout);
    expect("update_mix", [&] { update_mix(gpu, layout_there, {.sgd = step.update(), .edges = edges}); });
  }
}

TEST(MixingTraffic, OfMessagesIsNearItsFloor) {
  const Cuda gpu;
  for (const Case& c : cases())
    for (const double keep : {0.01, 0.1}) {
      const RowLayout layout = counted_layout(c.layout);
      const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, keep);
      const auto kept = static_cast<int>(plan.entries);
      const Positions positions = random_positions(layout, plan, c.nodes);
      const Round round = ring_round(c.nodes, c.degree);
      RoundSize size = size_of(c.nodes, layout);
      size.touched_bytes = touched_bytes(heard_positions(positions, round), layout);
      for (int node = 0; node < c.nodes; ++node)  // each is read by its own and by `degree` others
        size.position_bytes += (1 + c.degree) * sector_bytes(std::int64_t{node} * kept, kept);
      std::vector<std::int32_t> all;
      for (const auto& own : positions) all.insert(all.end(), own.begin(), own.end());
      const Buffer<Cuda, std::int32_t> position(gpu, c.nodes, kept, all);
      const Buffer<Cuda, float> value(gpu, c.nodes, kept), x(gpu, c.nodes, static_cast<int>(layout.row));
      const Buffer<Cuda, std::int64_t> entries(gpu, std::vector<std::int64_t>(c.nodes, kept));
      const RoundOn<Cuda> edges(gpu, round);
      const auto launches = traffic_of([&] {
        push_sum_mix(gpu, {.x = x.view(),
                           .messages = Messages{position.view(), value.view()},
                           .entries = entries.span(),
                           .edges = edges.edges()});
      });
      expect_near_floor("push_sum_mix", with_keep(c.name(), keep), launches.at(0), size);
    }
}

TEST(MixingTraffic, OfBlocksIsNearItsFloor) {
  const Cuda gpu;
  for (const Case& c : cases())
    for (const std::int64_t count : {1, 7}) {
      const RowLayout layout = counted_layout(c.layout);
      const int row = static_cast<int>(layout.row), longest = static_cast<int>(longest_block(layout, count));
      const std::int64_t due = count / 2;
      const std::vector<std::int64_t> begins = block_begins(layout, count);
      RoundSize size = size_of(c.nodes, layout);
      for (std::int64_t node = 0; node < c.nodes; ++node) {
        size.x_block_bytes += sector_bytes(node * row + begins[due], begins[due + 1] - begins[due]);
        size.block_bytes += sector_bytes(node * longest, longest);
      }
      const Buffer<Cuda, float> x(gpu, c.nodes, row), z(gpu, c.nodes, row), block(gpu, c.nodes, longest);
      const Buffer<Cuda, double> weight(gpu, c.nodes, static_cast<int>(count)), u(gpu, 1, c.nodes);
      const Buffer<Cuda, std::int64_t> begin(gpu, begins), number(gpu, std::vector<std::int64_t>{due});
      const ModelBlocks blocks{begin.span(), number.span().data(), layout.params};
      const RoundOn<Cuda> edges(gpu, ring_round(c.nodes, c.degree));
      const std::string round = c.name() + ", blocks " + std::to_string(count);
      const auto mixing = traffic_of([&] {
        mix_block(gpu, {.x = x.view(),
                        .weight = weight.view(),
                        .blocks = blocks,
                        .block = block.view(),
                        .u = u.span(),
                        .edges = edges.edges()});
      });
      expect_near_floor("mix_block", round, mixing.at(0), size);
      if (c.degree != 1) continue;  // what does not depend on edges
      const auto cutting = traffic_of([&] {
        cut_block(gpu,
                  {.x = x.view(), .weight = weight.view(), .blocks = blocks, .block = block.view(), .u = u.span()});
      });
      expect_near_floor("cut_block", round, cutting.at(0), size);
      const auto debiasing = traffic_of([&] { debias_blocks(gpu, x.view(), weight.view(), blocks, z.view()); });
      expect_near_floor("debias_blocks", round, debiasing.at(0), size);
    }
}

}  // namespace
}  // namespace sparsepush
