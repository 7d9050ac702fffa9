#include "models/network.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/random.h"

namespace sparsepush {
namespace {

constexpr int kGroupNormGroups = 2, kEvoNormGroups = 8;  // as public code for decentralized learning sets them

/// The largest number up to `most` that divides the channels.
int groups_of(int channels, int most) {
  while (channels % most != 0) --most;
  return most;
}

/// Replaces numbers of parameters by where they begin.
struct PlaceParameters {
  const RowLayout& layout;

  void place(std::int64_t& parameter) const {
    if (parameter >= 0) parameter = layout.segments[static_cast<std::size_t>(parameter)].begin;
  }
  void operator()(DenseLayer& layer) const {
    place(layer.weight);
    place(layer.bias);
  }
  void operator()(Conv2dLayer& layer) const {
    place(layer.weight);
    place(layer.bias);
  }
  void operator()(NormalizeLayer& layer) const {
    if (layer.norm == Norm::kNone) return;
    place(layer.gamma);
    place(layer.beta);
    if (layer.norm == Norm::kEvoNorm) place(layer.v);
  }
  void operator()(PoolLayer&) const {}
};

}  // namespace

void NetworkBuilder::add(LayerCall call, ImageShape out) {
  CHECK(out.height >= 1 && out.width >= 1 && out.channels >= 1, "layer ", tensor(), " of ", out.height, " x ",
        out.width, " x ", out.channels, " outputs");
  network_.calls.push_back(std::move(call));
  network_.tensor_sizes.push_back(out.size());
  shape_ = out;
}

std::int64_t NetworkBuilder::parameter(const std::string& name, std::vector<std::int64_t> shape, InitialValue initial) {
  network_.parameters.push_back({.name = name, .shape = std::move(shape)});
  network_.initial.push_back(initial);
  return std::ssize(network_.parameters) - 1;
}

void NetworkBuilder::dense(const std::string& name, int out, bool relu) {
  const int in = shape_.size();
  const InitialValue initial{InitialValue::Kind::kUniform, 1 / std::sqrt(static_cast<double>(in))};
  DenseLayer layer{.in = in, .out = out};
  layer.weight = parameter(name + ".weight", {out, in}, initial);
  layer.bias = parameter(name + ".bias", {out}, initial);
  add({.layer = layer, .relu = relu}, {1, 1, out});
}

void NetworkBuilder::conv2d(const std::string& name, const Convolution& c) {
  Conv2dLayer layer{.in = shape_, .out = c.out, .kernel = c.kernel, .stride = c.stride, .padding = c.padding};
  layer.weight = parameter(name + ".weight", {c.out, shape_.channels, c.kernel, c.kernel}, c.weight);
  if (c.bias) layer.bias = parameter(name + ".bias", {c.out}, c.initial_bias);
  add({.layer = layer}, layer.out_shape());
}

void NetworkBuilder::normalize(const std::string& name, const Normalization& n) {
  NormalizeLayer layer{.norm = n.norm, .shape = shape_, .relu = n.relu};
  const std::int64_t channels = shape_.channels;
  if (n.norm == Norm::kGroup) layer.groups = groups_of(shape_.channels, kGroupNormGroups);
  if (n.norm == Norm::kEvoNorm) layer.groups = groups_of(shape_.channels, kEvoNormGroups);
  if (n.norm != Norm::kNone) {
    layer.gamma = parameter(name + ".weight", {channels}, {.scale = 1});
    layer.beta = parameter(name + ".bias", {channels}, {.scale = 0});
  }
  if (n.norm == Norm::kEvoNorm) layer.v = parameter(name + ".v", {channels}, {.scale = 1});
  if (n.norm == Norm::kBatch) {
    layer.statistics = network_.statistics;
    network_.statistics += 2 * channels;
    for (const char* kind : {".running_mean", ".running_var"})
      network_.statistics_tensors.push_back({.name = name + kind, .shape = {channels}});
  }
  if (n.skip != kNoTensor) {
    LayerCall& producer = network_.calls.at(static_cast<std::size_t>(n.skip) - 1);
    const auto* skipped = std::get_if<NormalizeLayer>(&producer.layer);
    CHECK(skipped != nullptr && producer.skipped_to == kNoTensor, "tensor ", n.skip,
          " is no normalization's, or added twice");
    layer.has_skip = true;
    layer.skip = skipped->shape;
    producer.skipped_to = tensor() + 1;
  }
  add({.layer = layer, .skip = n.skip}, shape_);
}

void NetworkBuilder::pool(Pool pool) {
  const PoolLayer layer{.pool = pool, .in = shape_};
  add({.layer = layer}, layer.out_shape());
}

Network NetworkBuilder::finish() {
  CHECK(!network_.calls.empty() && std::holds_alternative<DenseLayer>(network_.calls.back().layer),
        "the last layer is not dense");
  network_.classes = shape_.channels;
  network_.layout = row_layout_of(network_.parameters);
  for (LayerCall& call : network_.calls) std::visit(PlaceParameters{network_.layout}, call.layer);
  return std::move(network_);
}

bool has_image_layers(const Network& network) {
  return !std::ranges::all_of(network.calls,
                              [](const LayerCall& call) { return std::holds_alternative<DenseLayer>(call.layer); });
}

void set_precision(Network& network, Precision precision) {
  for (LayerCall& call : network.calls)
    if (auto* layer = std::get_if<Conv2dLayer>(&call.layer)) layer->precision = precision;
}

void set_convolution_code(Network& network, ConvolutionCode code) {
  for (LayerCall& call : network.calls)
    if (auto* layer = std::get_if<Conv2dLayer>(&call.layer)) layer->code = code;
}

void initialize_network(const Network& network, std::uint64_t seed, float* row) {
  std::fill_n(row, network.layout.row, 0.0f);
  for (std::size_t s = 0; s < network.layout.segments.size(); ++s) {
    const Segment& segment = network.layout.segments[s];
    const auto [kind, scale] = network.initial[s];
    for (std::int64_t i = 0; i < segment.size; ++i) {
      const Draw draw{.seed = seed, .purpose = Purpose::kInitialize, .step = s, .index = static_cast<std::uint64_t>(i)};
      double value = scale;
      if (kind == InitialValue::Kind::kUniform) value = (2 * random_uniform(draw) - 1) * scale;
      if (kind == InitialValue::Kind::kNormal) value = random_normal(draw) * scale;
      row[segment.begin + i] = static_cast<float>(value);
    }
  }
}

void initialize_statistics(const Network& network, float* row) {
  for (const LayerCall& call : network.calls) {
    const auto* layer = std::get_if<NormalizeLayer>(&call.layer);
    if (layer == nullptr || layer->norm != Norm::kBatch) continue;
    std::fill_n(row + layer->statistics, layer->shape.channels, 0.0f);
    std::fill_n(row + layer->statistics + layer->shape.channels, layer->shape.channels, 1.0f);
  }
}

}  // namespace sparsepush
