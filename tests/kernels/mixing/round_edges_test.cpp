#include "kernels/mixing/round_edges.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/mixing/mixing_round.h"

namespace sparsepush {
namespace {

template <class Backend>
class MixPushWeightsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(MixPushWeightsOn, Backends);

TYPED_TEST(MixPushWeightsOn, AddsSelfThenInNeighboursInDouble) {
  std::mt19937 generator(1);
  for (const int nodes : {1, 2, 7, 1023, 1024, 1025}) {
    const int slots = nodes + 3;
    Round round;
    if (nodes < 100) {
      round = random_round(nodes, slots, generator);
    } else {  // a ring, so that the test stays small
      for (int node = 0; node < nodes; ++node) {
        round.slot.push_back((node + 5) % slots);
        round.weight.push_back(0.25f);
        round.self_weight.push_back(-0.125f);
        round.begin.push_back(node + 1);
      }
    }
    std::vector<double> before, wanted;
    for (int slot = 0; slot < slots; ++slot) before.push_back(1 + 1e-3 * slot / 3);
    for (int node = 0; node < nodes; ++node) {
      double u = std::fma(double{round.self_weight[node]}, before[node], before[node]);
      for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e) {
        u = std::fma(double{round.weight[e]}, before[round.slot[e]], u);
      }
      wanted.push_back(u);
    }
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Buffer<TypeParam, double> before_there(backend, before), u(backend, 1, nodes);
      const RoundOn<TypeParam> round_there(backend, round);
      mix_push_weights(backend, round_there.edges(), before_there.span(), u.span());
      EXPECT_EQ(u.to_host(), wanted) << nodes;
    });
  }
}

struct Edges {
  std::vector<std::int64_t> begin = {0, 1, 2};
  std::vector<std::int32_t> slot = {1, 2};
  std::vector<float> weight = {0.5f, 0.5f}, self_weight = {-0.5f, -0.5f};

  void mix() const {
    const std::vector<double> before(3, 1.0);
    std::vector<double> u(2);
    mix_push_weights(tested_cpu(1), {begin, slot, weight, self_weight}, before, u);
  }
};

TEST(RoundEdges, AcceptsEdgesThatFit) { EXPECT_NO_THROW(Edges{}.mix()); }

TEST(RoundEdges, RefusesLengthsThatDoNotFit) {
  Edges edges;
  edges.begin = {0, 2};
  EXPECT_THROW(edges.mix(), std::invalid_argument);
  edges = {};
  edges.weight = {0.5f};
  EXPECT_THROW(edges.mix(), std::invalid_argument);
  edges = {};
  edges.self_weight = {-0.5f};
  EXPECT_THROW(edges.mix(), std::invalid_argument);
  edges = {};
  const RoundEdges of_two{edges.begin, edges.slot, edges.weight, edges.self_weight};
  EXPECT_NO_THROW(check_round_edges(of_two, 2, 2));
  EXPECT_THROW(check_round_edges(of_two, 2, 1), std::invalid_argument) << "fewer slots than nodes";
}

TEST(RoundEdges, RefusesValuesOutsideTheirArrays) {
  for (const std::vector<std::int64_t>& begin : {std::vector<std::int64_t>{1, 1, 2}, {0, 1, 1}, {0, 3, 2}}) {
    Edges edges;
    edges.begin = begin;
    EXPECT_THROW(edges.mix(), std::invalid_argument);
  }
  for (const std::int32_t slot : {-1, 3}) {
    Edges edges;
    edges.slot[1] = slot;
    EXPECT_THROW(edges.mix(), std::invalid_argument);
  }
}

}  // namespace
}  // namespace sparsepush
