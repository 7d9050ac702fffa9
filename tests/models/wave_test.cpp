#include "models/wave.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

TEST(WavesOnCpu, RunOnSerialCpusOfTheVectorLevelThatIsGiven) {
  for (const VectorLevel level : tested_vector_levels())
    for (const int threads : {1, 2, 4}) {
      const Cpu cpu(threads, level);
      const Waves<Cpu> waves(cpu, 1);
      EXPECT_EQ(waves.workers(), threads);
      std::vector<int> serial(100), same_level(100);
      waves.run(cpu, 100, [&](const Cpu& one, int first, int count, int /*worker*/) {
        for (int node = first; node < first + count; ++node) {
          serial[node] = one.threads() == 1;
          same_level[node] = one.vector_level() == level;
        }
      });
      EXPECT_EQ(std::count(serial.begin(), serial.end(), 1), 100) << threads << " threads";
      EXPECT_EQ(std::count(same_level.begin(), same_level.end(), 1), 100) << name_of(level);
    }
}

TEST(WavesOnCpu, CoverEveryNodeOnceAndAWorkerTakesOneAfterTheOther) {
  for (const int threads : {1, 3})
    for (const int nodes : {0, 1, 2, 31, 257}) {
      const Cpu cpu = tested_cpu(threads);
      const Waves<Cpu> waves(cpu, 1);
      std::vector<int> times(nodes);
      std::vector<std::atomic<int>> inside(threads);
      std::atomic<int> overlaps = 0;
      waves.run(cpu, nodes, [&](const Cpu&, int first, int count, int worker) {
        if (inside[worker]++ != 0) ++overlaps;
        for (int node = first; node < first + count; ++node) ++times[node];
        --inside[worker];
      });
      EXPECT_EQ(times, std::vector<int>(nodes, 1)) << threads << " threads";
      EXPECT_EQ(overlaps, 0);
    }
}

TEST(WavesOnCpu, ThatWereMadeForFewerThreadsAreRefused) {
  const Cpu one = tested_cpu(1), two = tested_cpu(2);
  EXPECT_THROW(Waves<Cpu>(one, 1).run(two, 4, [](const Cpu&, int, int, int) {}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
