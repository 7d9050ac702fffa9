#include "models/network.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/random.h"

namespace sparsepush {

Network make_network(int features, const std::vector<DenseSpec>& layers) {
  CHECK(features >= 1 && !layers.empty(), "features ", features, ", layers ", layers.size());
  Network network{.features = features, .classes = layers.back().out, .layers = {}, .parameters = {}, .layout = {}};
  std::vector<std::int64_t> sizes;
  int in = features;
  for (const auto& [name, out] : layers) {
    CHECK(out >= 1, "layer ", name, " of ", out, " outputs");
    network.parameters.push_back({.name = name + ".weight", .shape = {out, in}});
    network.parameters.push_back({.name = name + ".bias", .shape = {out}});
    network.layers.push_back({.in = in, .out = out});
    sizes.push_back(static_cast<std::int64_t>(out) * in);
    sizes.push_back(out);
    in = out;
  }
  network.layout = make_row_layout(sizes);
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    network.layers[layer].weight = network.layout.segments[2 * layer].begin;
    network.layers[layer].bias = network.layout.segments[2 * layer + 1].begin;
  }
  return network;
}

void initialize_network(const Network& network, std::uint64_t seed, float* row) {
  std::fill_n(row, network.layout.row, 0.0f);
  for (std::size_t s = 0; s < network.layout.segments.size(); ++s) {
    const Segment& segment = network.layout.segments[s];
    const double bound = 1 / std::sqrt(static_cast<double>(network.layers[s / 2].in));
    for (std::int64_t i = 0; i < segment.size; ++i) {
      const double uniform = random_uniform(
          {.seed = seed, .stream = Stream::kInitialize, .step = s, .index = static_cast<std::uint64_t>(i)});
      row[segment.begin + i] = static_cast<float>((2 * uniform - 1) * bound);
    }
  }
}

}  // namespace sparsepush
