#include "models/models.h"

#include <gtest/gtest.h>

#include "models/network_pass.h"
#include "models/norms.h"

namespace sparsepush {
namespace {

TEST(Models, SayWhatLayersTheirNetworksHave) {
  Dataset images{.name = "images", .features = 32 * 32, .image = {.height = 32, .width = 32}, .classes = 3};
  for (const Model& model : models())
    for (const NormKind& norm : norms()) {
      if (!model.has_image_layers && norm.norm != Norm::kNone) continue;
      ModelConfig config;
      config.name = model.name;
      config.norm = norm.name;
      const Network network = make_network(config, images, 2);
      EXPECT_EQ(has_image_layers(network), model.has_image_layers) << model.name;
      EXPECT_EQ(network.statistics > 0, norm.has_statistics) << model.name << " " << norm.name;
    }
}

}  // namespace
}  // namespace sparsepush
