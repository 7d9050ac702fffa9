// What a program refuses that was built without cuDNN.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "data/files/input_error.h"
#include "host/state/backend_choice.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"

namespace sparsepush {
namespace {

std::string refusal_of(const Config& config) {
  try {
    check_products<Cuda>(config, "");
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

TEST(WithoutCudnn, OnlyRunsThatWouldUseItAreRefused) {
  if (cudnn_problem().empty()) GTEST_SKIP() << "this program has cuDNN";
  Config config;
  config.run.convolution = "cudnn";
  config.model.name = "resnet20";
  EXPECT_EQ(refusal_of(config), "run.convolution: \"cudnn\" cannot be used: " + cudnn_problem() + "; expected \"own\"");
  config.model.name = "mlp";
  EXPECT_EQ(refusal_of(config), "none") << "it has no convolutions";
  config.model.name = "resnet20";
  config.run.convolution = "own";
  EXPECT_EQ(refusal_of(config), "none");
}

}  // namespace
}  // namespace sparsepush
