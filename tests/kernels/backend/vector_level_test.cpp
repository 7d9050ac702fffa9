#include "kernels/backend/vector_level.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string_view>

#include "tests/backends.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

TEST(VectorLevel, OfACpuIsTheBestUnlessAnotherOneIsWanted) {
  EXPECT_EQ(Cpu(1).vector_level(), best_vector_level());
  for (const VectorLevel level : {VectorLevel::kBaseline, VectorLevel::kAvx2, VectorLevel::kAvx512})
    if (level <= best_vector_level()) {
      EXPECT_EQ(Cpu(1, level).vector_level(), level);
    }
}

TEST(VectorLevel, ThatTheProcessorLacksIsRefused) {
  const auto wider = static_cast<VectorLevel>(static_cast<int>(best_vector_level()) + 1);
  EXPECT_THROW(Cpu(1, wider), std::invalid_argument);
}

TEST(TestedVectorLevel, FollowsOnednnsVariable) {
  const char* const variable = std::getenv("DNNL_MAX_CPU_ISA");
  const std::string_view isa = variable == nullptr ? "" : variable;
  VectorLevel limit = VectorLevel::kAvx512;
  if (isa == "SSE41" || isa == "AVX") limit = VectorLevel::kBaseline;
  if (isa.starts_with("AVX2")) limit = VectorLevel::kAvx2;
  EXPECT_EQ(tested_cpu(1).vector_level(), std::min(best_vector_level(), limit));
}

TEST(TestedVectorLevel, IsOneOfThoseThatEveryOpRunsAt) {
  std::set<VectorLevel> levels;
  for_each_way_to_run<Cpu>([&](const Cpu& cpu) { levels.insert(cpu.vector_level()); });
  for (const VectorLevel level : {VectorLevel::kBaseline, VectorLevel::kAvx2, VectorLevel::kAvx512})
    EXPECT_EQ(levels.contains(level), level <= tested_vector_level()) << name_of(level);
}

}  // namespace
}  // namespace sparsepush
