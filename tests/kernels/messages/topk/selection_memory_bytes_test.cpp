// What selections hold on a Cpu is what the memory plan is told.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "kernels/messages/topk/selection_memory.h"

namespace {
std::atomic<std::int64_t> held = 0;  // bytes of this program's objects

void* counted(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  held += static_cast<std::int64_t>(malloc_usable_size(p));
  return p;
}
}  // namespace

// Not inline: a compiler that sees malloc behind new takes delete for the wrong way to release it.
[[gnu::noinline]] void* operator new(std::size_t bytes) { return counted(std::malloc(bytes)); }
[[gnu::noinline]] void operator delete(void* p) noexcept {
  held -= static_cast<std::int64_t>(malloc_usable_size(p));
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept { operator delete(p); }

namespace sparsepush {
namespace {

std::int64_t held_by_memory(int nodes, const RowLayout& layout, const TopkPlan& plan, int threads) {
  const Cpu cpu(threads);
  const std::int64_t before = held;
  const SelectionMemory<Cpu> memory(cpu, nodes, layout, {plan});
  return held - before;
}

/// But for lists that are small beside it: the layout, the plan, and what each worker takes at a time.
TEST(SelectionMemoryBytes, AreThoseThatThePlanIsTold) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{100, 200});
  for (const double keep : {0.01, 0.1, 0.5})
    for (const int threads : {1, 2})
      for (const int nodes : {1000, 20000}) {
        const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, keep);
        const std::int64_t planned = SelectionMemory<Cpu>::bytes(nodes, layout, plan, threads);
        const std::int64_t really = held_by_memory(nodes, layout, plan, threads);
        EXPECT_GE(really, planned);
        EXPECT_LE(really, planned + planned / 20 + 2000) << nodes << " nodes, " << threads << " threads";
      }
}

TEST(SelectionMemoryBytes, OfLargeGroupsAreThoseThatThePlanIsTold) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1'000'000, 2000});
  for (const double keep : {0.001, 0.1})
    for (const int threads : {1, 2}) {
      const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, keep);
      const std::int64_t planned = SelectionMemory<Cpu>::bytes(2, layout, plan, threads);
      const std::int64_t really = held_by_memory(2, layout, plan, threads);
      EXPECT_GE(really, planned);
      EXPECT_LE(really, planned + planned / 20 + 2000) << threads << " threads";
    }
}

}  // namespace
}  // namespace sparsepush
