#include "host/state/emulator.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/host/emulation.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The message that a step ends with after spoil(emulator) in a run of three nodes and two tensors.
template <class Spoil>
std::string divergence(const std::string& algorithm, int replicas, Spoil spoil) {
  const QuadraticFile file(3, {5, 9}, 1);
  Config config = gossip_config(file, 3, "directed_ring");
  config.run.replicas = replicas;
  config.algorithm.name = algorithm;
  config.optimizer.lr = 0.1;
  config.optimizer.momentum = 0.9;
  std::string message;
  emulate(config, [&](Emulator<Cpu>& e) {
    advance(e, 2);
    spoil(e);
    try {
      advance(e, 1);
    } catch (const Diverged& diverged) {
      message = diverged.what();
    }
  });
  return message;
}

TEST(Divergence, NamesStepNodeAndTensor) {
  for (const std::string algorithm : {"none", "sgp", "sparse_push"})
    EXPECT_EQ(divergence(algorithm, 1, [](Emulator<Cpu>& e) { e.nodes()[state::momentum].row(1)[4] = kInfinity; }),
              "diverged at step 3: node 1, tensor segment0 is not finite; try a smaller optimizer.lr");
}

TEST(Divergence, NamesTheReplicaWhereThereAreSeveral) {
  EXPECT_EQ(divergence("none", 2, [](Emulator<Cpu>& e) { e.nodes()[state::momentum].row(3 + 2)[8] = kInfinity; }),
            "diverged at step 3: node 2 of replica 1, tensor segment1 is not finite; try a smaller optimizer.lr");
}

TEST(Divergence, IsFoundInTheErrorMemory) {
  const std::string message =
      divergence("sparse_push", 1, [](Emulator<Cpu>& e) { e.nodes()[state::error].row(0)[0] = -kInfinity; });
  EXPECT_TRUE(message.starts_with("diverged at step 3: node 0, ")) << message;
}

}  // namespace
}  // namespace sparsepush
