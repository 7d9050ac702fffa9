#include "kernels/messages/topk/selection_memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/messages/topk/cpu_selection.h"
#include "kernels/messages/topk/topk_select.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

TEST(SelectionMemory, HoldsTheThresholdOfEveryNodeAndGroup) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1000, 2000});
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> v(cpu, 2, 3000), value(cpu, 2, 3);
  Buffer<Cpu, std::int32_t> position(cpu, 2, 3);
  for (int j = 0; j < 6000; ++j) v.span()[j] = static_cast<float>(j);
  SelectionMemory<Cpu> memory(cpu, 2, layout, {make_topk_plan(layout, TopkScope::kLayer, 0.001)});
  topk_select(cpu, memory, v.view(), {position.view(), value.view()});
  const std::vector<float> smallest = {999, 2998, 3999, 5998};  // of 1 and 2 entries
  for (int i = 0; i < 4; ++i) {
    const float threshold = memory.contents().warmth[i].threshold;
    EXPECT_LE(threshold, smallest[i]);
    EXPECT_GT(threshold, smallest[i] - 1);
  }
}

}  // namespace
}  // namespace sparsepush
