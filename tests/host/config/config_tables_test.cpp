// The tables behind the names in a configuration.
#include <gtest/gtest.h>

#include "host/state/experiment.h"
#include "tests/data/error_of.h"

namespace sparsepush {
namespace {

/// What preparing an experiment ends with, of a configuration that no file was checked for.
template <class Change>
std::string error_after(Change change) {
  Config config;
  change(config);
  return error_of([&] { Experiment(config).prepare_data(); });
}

TEST(ConfigTables, AnUnknownNameIsAnErrorEverywhere) {
  EXPECT_EQ(error_after([](Config&) {}), "");
  EXPECT_EQ(
      error_after([](Config& c) { c.data.name = "digit"; }),
      "data.name: expected one of digits, cifar10, cifar100, mnist, fashion_mnist, synthetic, file, quadratic; got "
      "\"digit\"");
  EXPECT_EQ(error_after([](Config& c) { c.data.partition = "idd"; }),
            "data.partition: expected one of iid, skew, dirichlet, quantity, shards, file; got \"idd\"");
  EXPECT_EQ(error_after([](Config& c) { c.model.name = "MLP"; }),
            "model.name: expected one of softmax, mlp, lenet5, resnet20, vgg11; got \"MLP\"");
  EXPECT_EQ(error_after([](Config& c) { c.model.norm = ""; }),
            "model.norm: expected one of none, batch, group, evonorm; got \"\"");
}

}  // namespace
}  // namespace sparsepush
