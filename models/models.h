// What model.name can be: the table of networks.
#pragma once
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "data/sets/dataset.h"
#include "models/model_config.h"
#include "models/network.h"

namespace sparsepush {

/// A network; its row stands in its own file.
struct Model {
  std::string_view name;
  std::vector<std::string_view> keys = {};  ///< that count for it alone, such as "model.hidden"
  bool has_image_layers = false;            ///< for images of some sizes only; takes model.norm

  /// What a network is made for.
  struct Request {
    const ModelConfig& config;
    Norm norm = Norm::kNone;  ///< what config.norm names
    const Dataset& data;
    int nodes = 0;  ///< that will have one each, for what errors say
  };
  std::function<Network(const Request&)> make;  ///< throws InputError
};

/// Lists all models, in the order in which `sparsepush methods` prints them.
const std::vector<Model>& models();

/// Makes the model that `config` asks for. Throws InputError.
Network make_network(const ModelConfig& config, const Dataset& data, int nodes);

/// Refuses images that a model has no layers for: other than squares of these sides.
void check_image_sides(const Model::Request& request, std::span<const int> sides);

}  // namespace sparsepush
