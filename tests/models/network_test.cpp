#include "models/network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "kernels/messages/topk_plan.h"
#include "models/gradient_slots.h"
#include "models/lenet5.h"
#include "models/mlp.h"
#include "models/resnet20.h"
#include "models/vgg11.h"

namespace sparsepush {
namespace {

constexpr ImageShape kCifar{32, 32, 3};

std::int64_t kept(const Network& network, double keep) {
  return make_topk_plan(network.layout, TopkScope::kLayer, keep).entries;
}

struct Size {
  Network network;
  std::int64_t tensors, params, kept10, kept1, kept01;
};

TEST(Networks, HaveTheKnownNumbersOfParametersAndKeptEntries) {
  for (const Size& s : {Size{make_resnet20(kCifar, 10, Norm::kBatch), 59, 269'722, 26'948, 2'717, 300},
                        Size{make_resnet20(kCifar, 10, Norm::kEvoNorm), 78, 270'410, 27'009, 2'736, 319},
                        Size{make_vgg11(kCifar, 10, Norm::kNone), 20, 9'488'266, 948'818, 94'877, 9'490},
                        Size{make_vgg11(kCifar, 10, Norm::kBatch), 36, 9'493'770, 949'362, 94'929, 9'506}}) {
    EXPECT_EQ(std::ssize(s.network.layout.segments), s.tensors);
    EXPECT_EQ(s.network.layout.params, s.params);
    EXPECT_EQ(kept(s.network, 0.1), s.kept10);
    EXPECT_EQ(kept(s.network, 0.01), s.kept1);
    EXPECT_EQ(kept(s.network, 0.001), s.kept01);
    EXPECT_EQ(s.network.classes, 10);
  }
  EXPECT_EQ(make_lenet5({28, 28, 1}, 10, Norm::kNone).layout.params, 61'706);
  EXPECT_EQ(make_lenet5(kCifar, 10, Norm::kNone).layout.params, 62'006);
}

TEST(Networks, RefuseImagesOfOtherSizes) {
  EXPECT_THROW(make_lenet5({8, 8, 1}, 10, Norm::kNone), std::invalid_argument);
  EXPECT_THROW(make_vgg11({28, 28, 1}, 10, Norm::kNone), std::invalid_argument);
}

TEST(Networks, NameParametersAsPyTorchDoes) {
  std::set<std::string> names;
  for (const Parameter& p : make_vgg11(kCifar, 10, Norm::kBatch).parameters) names.insert(p.name);
  for (const char* name : {"features.0.weight", "features.0.bias", "features.1.weight", "features.4.weight",
                           "features.25.bias", "features.26.bias", "classifier.0.weight", "classifier.2.bias"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(Networks, DrawParametersWithTheirDeviations) {
  const Network network = make_resnet20(kCifar, 10, Norm::kBatch);
  std::vector<float> row(network.layout.row);
  initialize_network(network, 3, row.data());
  int compared = 0;
  for (std::size_t s = 0; s < network.parameters.size(); ++s) {
    const Segment& segment = network.layout.segments[s];
    const auto [kind, scale] = network.initial[s];
    if (kind != InitialValue::Kind::kNormal || segment.size < 2000) continue;
    double squares = 0;
    for (std::int64_t i = 0; i < segment.size; ++i) squares += std::pow(row[segment.begin + i], 2);
    const double fan_in = static_cast<double>(segment.size / network.parameters[s].shape[0]);
    EXPECT_NEAR(squares / static_cast<double>(segment.size), 2 / fan_in, 0.2 / fan_in) << network.parameters[s].name;
    ++compared;
  }
  EXPECT_EQ(compared, 18) << "all convolutions but the small first one";
}

/// Follows who has written which gradient last, as the backward pass goes.
TEST(GradientSlots, HoldEveryGradientUntilItsLastReader) {
  for (const Network& network :
       {make_resnet20(kCifar, 10, Norm::kBatch), make_vgg11(kCifar, 10, Norm::kNone),
        make_lenet5(kCifar, 10, Norm::kGroup), make_mlp(9, std::vector<std::int64_t>{5, 4}, 3)}) {
    const GradientSlots slots = assign_gradient_slots(network);
    const int calls = static_cast<int>(network.calls.size());
    std::map<int, int> holds;  // slot -> tensor
    const auto write = [&](int tensor) {
      if (tensor > 0) holds[slots.slot[tensor]] = tensor;
    };
    const auto expect_held = [&](int tensor) {
      EXPECT_EQ(holds[slots.slot[tensor]], tensor);
      EXPECT_GE(slots.size[slots.slot[tensor]], network.tensor_sizes[tensor]);
    };
    write(calls);
    for (int call = calls - 1; call >= 0; --call) {
      EXPECT_NE(slots.slot[call], slots.slot[call + 1]) << "written while it is read";
      expect_held(call + 1);
      const int later = network.calls[call].skipped_to;
      if (later != kNoTensor) {
        expect_held(later);
        EXPECT_NE(slots.slot[call], slots.slot[later]);
      }
      write(call);
    }
  }
}

TEST(GradientSlots, AreFew) {
  EXPECT_EQ(assign_gradient_slots(make_vgg11(kCifar, 10, Norm::kNone)).size.size(), 2u);
  EXPECT_EQ(assign_gradient_slots(make_resnet20(kCifar, 10, Norm::kBatch)).size.size(), 3u);
}

}  // namespace
}  // namespace sparsepush
