// What ops hold on a GPU is what the memory plan is told.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/layers/conv2d/conv2d.h"
#include "kernels/messages/random_k.h"
#include "kernels/messages/topk/selection_memory.h"
#include "tests/simt/streams.h"

namespace sparsepush {
namespace {

std::int64_t device_bytes() { return static_cast<std::int64_t>(simt::device_bytes()); }

TEST(PlannedBytes, OfTheSimulatedGpuAreThoseThatAreAllocated) {
  const Cuda gpu;
  const std::int64_t before = device_bytes();
  {
    const Buffer<Cuda, float> three(gpu, 3, 7);
    EXPECT_EQ(device_bytes() - before, 84);
  }
  EXPECT_EQ(device_bytes(), before);
}

/// ResNet-20's first stage, of which the gradient's sums are split, with and without a bias, and its last, of which
/// they are not.
TEST(PlannedBytes, OfAConvolutionAreThoseItHolds) {
  const Cuda gpu;
  const Conv2dLayer first{.in = {32, 32, 16}, .out = 16}, last{.in = {4, 4, 64}, .out = 64};
  Conv2dLayer biased = first;
  biased.bias = 5000;
  std::int64_t most = 0;
  for (const Conv2dLayer& layer : {first, biased, last})
    for (const int nodes : {1, 3, 64})
      for (const int samples : {3, 4, 32, 1000}) {
        const std::int64_t before = device_bytes(), planned = Conv2d<Cuda>::bytes(layer, nodes, samples);
        const Conv2d<Cuda> convolution(gpu, layer, nodes, samples);
        EXPECT_NEAR(device_bytes() - before, planned, 1) << nodes << " nodes, " << samples << " samples";  // never 0
        most = std::max(most, planned);
      }
  EXPECT_GT(most, 1 << 20) << "some split their sums";
}

/// But for the list of segments, which is not counted.
TEST(PlannedBytes, OfASelectionAreThoseItHolds) {
  const Cuda gpu;
  for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{9000, 10}, {400000, 50000, 100}, {100}})
    for (const double keep : {0.01, 0.3})
      for (const int nodes : {1, 7}) {
        const RowLayout layout = make_row_layout(sizes);
        const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, keep);
        const std::int64_t before = device_bytes(), planned = SelectionMemory<Cuda>::bytes(nodes, layout, plan, 1);
        const SelectionMemory<Cuda> memory(gpu, nodes, layout, {plan});
        const auto lists = static_cast<std::int64_t>(layout.segments.size() * sizeof(Segment) +
                                                     layout.paddings.size() * sizeof(Padding));
        EXPECT_NEAR(device_bytes() - before, planned + lists, 8) << nodes << " nodes, " << sizes[0];  // none are of 0
      }
}

TEST(PlannedBytes, OfDrawnPositionsAreThoseTheyHold) {
  const Cuda gpu;
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{40000, 5, 1000});
  for (const TopkScope scope : {TopkScope::kLayer, TopkScope::kGlobal})
    for (const int replicas : {1, 6}) {
      const TopkPlan plan = make_topk_plan(layout, scope, 0.1);
      const std::int64_t before = device_bytes();
      const RandomPlans<Cuda> plans(gpu, layout, std::vector<TopkPlan>(replicas, plan));
      EXPECT_EQ(device_bytes() - before, RandomPlans<Cuda>::bytes(replicas, layout, plan)) << replicas << " replicas";
      EXPECT_GT(device_bytes() - before, replicas * layout.row / 8) << "a bit for each position";
    }
}

}  // namespace
}  // namespace sparsepush
