#include "models/models.h"

#include <algorithm>

#include "data/files/input_error.h"
#include "data/table.h"
#include "models/lenet5.h"
#include "models/mlp.h"
#include "models/norms.h"
#include "models/resnet20.h"
#include "models/softmax.h"
#include "models/vgg11.h"

namespace sparsepush {

const std::vector<Model>& models() {
  static const std::vector<Model> table = {softmax_model(), mlp_model(), lenet5_model(), resnet20_model(),
                                           vgg11_model()};
  return table;
}

Network make_network(const ModelConfig& config, const Dataset& data, int nodes) {
  const Model& model = row_named(models(), "model.name", config.name);
  const Norm norm = row_named(norms(), "model.norm", config.norm).norm;
  return model.make({.config = config, .norm = norm, .data = data, .nodes = nodes});
}

void check_image_sides(const Model::Request& request, std::span<const int> sides) {
  const ImageShape& image = request.data.image;
  if (image.height == image.width && std::ranges::find(sides, image.height) != sides.end()) return;
  throw InputError("model.name: \"{}\" is for images of {} pixels a side; \"{}\" has {} x {}", request.config.name,
                   fmt::join(sides, " or "), request.data.name, image.height, image.width);
}

}  // namespace sparsepush
