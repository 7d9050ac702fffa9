// Forward and backward through a network, for the nodes of one wave at a time.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/layers/conv2d/tensor_tiles.h"
#include "models/fusion.h"
#include "models/gradient_slots.h"
#include "models/gradients.h"
#include "models/network.h"

namespace sparsepush {

/// The nodes that a pass is for: their parameters, and their running statistics [nodes, network.statistics].
struct PassNodes {
  NodeParameters at;
  MatrixView<float> statistics;
};

/// The activations of some nodes' samples, and the passes that fill them.
template <class Backend>
class NetworkPass {
 public:
  /// Makes room for `samples` samples, of all nodes together, and `nodes` nodes. `network` must outlive it.
  NetworkPass(const Backend& backend, const Network& network, int nodes, int samples)
      : NetworkPass(backend, network, nodes, samples, fuse_calls_on<Backend>(network, samples / nodes)) {}
  /// The same with another plan of what calls do for each other.
  NetworkPass(const Backend& backend, const Network& network, int nodes, int samples, std::vector<CallFusion> fusion)
      : network_(network),
        fusion_(std::move(fusion)),
        slots_(assign_gradient_slots(network)),
        label_(backend, 1, samples),
        scratch_(backend, nodes, static_cast<int>(scratch(network, samples / nodes))),
        tile_sums_(backend, nodes, static_cast<int>(tile_sum_doubles(network, fusion_, samples / nodes))),
        convolution_room_(backend) {
    for (int t = 0; t <= calls(); ++t)
      tensor_.emplace_back(backend, is_stored(fusion_, t) ? samples : 0, network.tensor_sizes[t]);
    for (const int size : slots_.size) gradient_.emplace_back(backend, samples, size);
    for (const LayerCall& call : network.calls) {
      const auto* norm = std::get_if<NormalizeLayer>(&call.layer);
      const std::int64_t saved = norm == nullptr ? 0 : norm->saved(samples / nodes);
      saved_.emplace_back(backend, nodes, static_cast<int>(saved));
      terms_.emplace_back(backend, nodes, count_terms(network, fusion_, static_cast<int>(saved_.size()) - 1));
      if (const auto* conv = std::get_if<Conv2dLayer>(&call.layer))
        convolutions_.emplace(static_cast<int>(saved_.size()) - 1,
                              Conv2d<Backend>(backend, *conv, nodes, samples / nodes, convolution_room_));
    }
  }

  /// Makes passes of `samples` samples a node ready to be recorded (Conv2d::prepare).
  void prepare(const Backend& backend, int samples) {
    for (auto& [call, convolution] : convolutions_) convolution.prepare(backend, samples);
  }

  /// Counts the bytes of `samples` samples of `nodes` nodes.
  static std::int64_t bytes(const Network& network, int nodes, int samples) {
    const std::vector<CallFusion> fusion = fuse_calls_on<Backend>(network, samples / nodes);
    std::int64_t floats = 1;  // a label is as large as a float
    for (std::size_t t = 0; t < network.tensor_sizes.size(); ++t)
      if (is_stored(fusion, static_cast<int>(t))) floats += network.tensor_sizes[t];
    for (const int size : assign_gradient_slots(network).size) floats += size;
    floats *= samples;
    const std::int64_t doubles = scratch(network, samples / nodes) + tile_sum_doubles(network, fusion, samples / nodes);
    std::int64_t bytes = nodes * doubles * static_cast<std::int64_t>(sizeof(double)), room = 0;
    for (std::size_t i = 0; i < network.calls.size(); ++i) {
      const LayerCall& call = network.calls[i];
      floats += std::int64_t{nodes} * count_terms(network, fusion, static_cast<int>(i));
      if (const auto* norm = std::get_if<NormalizeLayer>(&call.layer)) floats += nodes * norm->saved(samples / nodes);
      if (const auto* conv = std::get_if<Conv2dLayer>(&call.layer)) {
        bytes += Conv2d<Backend>::bytes(*conv, nodes, samples / nodes);
        room = std::max(room, Conv2d<Backend>::room_bytes(*conv, samples / nodes));
      }
    }
    return bytes + room + floats * static_cast<std::int64_t>(sizeof(float));
  }

  /// Returns the first `samples` rows of what the caller fills with samples, of logits, and of what it fills with their
  /// gradient.
  MatrixView<float> input(int samples) const { return tensor(0, samples); }
  std::span<std::int32_t> label(int samples) const { return label_.span().first(samples); }
  MatrixView<const float> logits(int samples) const { return tensor(calls(), samples); }
  MatrixView<float> logits_gradient(int samples) const { return gradient_of(calls(), samples); }

  /// Computes the logits of the input. In training, normalization is by the batch and updates running statistics.
  void forward(const Backend& backend, const PassNodes& nodes, int samples, bool training) {
    for (int i = 0; i < calls(); ++i)
      std::visit(
          [&](const auto& layer) {
            call_forward(backend, layer, {i, nodes, samples}, training);
          },
          network_.calls[i].layer);
  }

  /// Writes the gradients of all parameters to `gradient` [nodes of the wave, row], from the logits' gradient, after a
  /// forward pass in training.
  void backward(const Backend& backend, const PassNodes& nodes, int samples, MatrixView<float> gradient) {
    for (int i = calls() - 1; i >= 0; --i)
      std::visit(
          [&](const auto& layer) {
            call_backward(backend, layer, {i, nodes, samples}, gradient);
          },
          network_.calls[i].layer);
  }

 private:
  /// Which call, for what.
  struct Place {
    int call;
    const PassNodes& nodes;
    int samples;
  };

  int calls() const { return static_cast<int>(network_.calls.size()); }
  /// Returns a tensor; no data where it is not stored.
  MatrixView<float> tensor(int number, int samples) const {
    if (!is_stored(fusion_, number)) return {nullptr, samples, network_.tensor_sizes[number]};
    return tensor_[number].view().rows_from(0, samples);
  }
  /// Returns what a convolution reads: the tensor before it, or the one that is normalized on load in its place.
  MatrixView<float> convolved(const Place& p) const {
    return tensor(is_stored(fusion_, p.call) ? p.call : p.call - 1, p.samples);
  }
  /// Returns how it is normalized.
  NormOnLoad norm_on_load(const Place& p) const {
    if (is_stored(fusion_, p.call)) return {};
    return {.terms = terms(p, p.call - 1), .relu = std::get<NormalizeLayer>(network_.calls[p.call - 1].layer).relu};
  }
  /// Returns the terms that the normalization at `call` leaves; no data if it leaves none.
  MatrixView<float> terms(const Place& p, int call) const {
    if (!fusion_[call].leaves_terms) return {};
    return terms_[call].view().rows_from(0, p.nodes.at.x.rows);
  }
  /// Counts these, of a node.
  static int count_terms(const Network& network, const std::vector<CallFusion>& fusion, int call) {
    return fusion[call].leaves_terms
               ? NormOnLoad::kNumbers * std::get<NormalizeLayer>(network.calls[call].layer).shape.channels
               : 0;
  }
  /// Returns the gradient of a tensor; no data where nobody wants it.
  MatrixView<float> gradient_of(int number, int samples) const {
    if (number <= 0) return {};
    return {gradient_[slots_.slot[number]].view().data, samples, network_.tensor_sizes[number]};
  }
  bool is_after_relu(int call) const { return call > 0 && network_.calls[call - 1].relu; }
  MatrixView<float> saved(const Place& p) const { return saved_[p.call].view().rows_from(0, p.nodes.at.x.rows); }
  MatrixView<double> scratch(const Place& p) const { return scratch_.view().rows_from(0, p.nodes.at.x.rows); }
  /// Returns where the convolution at `call` leaves moments; no data if it does not.
  MatrixView<double> moments(const Place& p, int call, bool training) const {
    if (!training || call < 0 || !fusion_[call].leaves_moments) return {};
    return tile_sums_.view().rows_from(0, p.nodes.at.x.rows);
  }
  /// Returns what the convolution before a normalization has left.
  TileMoments moments_before(const Place& p, bool training) const {
    const MatrixView<double> sums = moments(p, p.call - 1, training);
    if (sums.data == nullptr) return {};
    const auto& before = std::get<Conv2dLayer>(network_.calls[p.call - 1].layer);
    return {.sums = sums, .tiles = moment_tiles(before, p.samples / p.nodes.at.x.rows)};
  }
  /// Returns where the convolution at `call` leaves sums of its input's gradient; no data if it does not.
  NormGradientSums gradient_sums(const Place& p, int call) const {
    if (call >= calls() || !fusion_[call].sums_gradient) return {};
    return {
        .sums = tile_sums_.view().rows_from(0, p.nodes.at.x.rows),
        .tiles = norm_gradient_tiles(std::get<Conv2dLayer>(network_.calls[call].layer), p.samples / p.nodes.at.x.rows)};
  }
  /// Returns the shape of the call that later adds the output of `call`; below, the gradient that comes from there.
  ImageShape later_shape(int call) const {
    const int later = network_.calls[call].skipped_to;
    return later == kNoTensor ? ImageShape{} : std::get<NormalizeLayer>(network_.calls[later - 1].layer).shape;
  }
  MatrixView<float> later_gradient(const Place& p, int call) const {
    return gradient_of(network_.calls[call].skipped_to, p.samples);
  }
  /// Returns what the convolution of `p` does to its input's gradient for the normalization before it.
  NormGradient norm_gradient(const Place& p) const {
    const int norm = p.call - 1;
    if (!fusion_[p.call].sums_gradient) return {};
    return {.input = tensor(norm, p.samples),
            .output = tensor(norm + 1, p.samples),
            .terms = terms(p, norm),
            .saved = saved_[norm].view().rows_from(0, p.nodes.at.x.rows),
            .relu = std::get<NormalizeLayer>(network_.calls[norm].layer).relu,
            .skip_gradient = later_gradient(p, norm),
            .skip_shape = later_shape(norm),
            .sums = gradient_sums(p, p.call)};
  }
  /// Doubles a node that any normalization works in.
  static std::int64_t scratch(const Network& network, int samples) {
    std::int64_t most = 0;
    if (std::is_same_v<Backend, Cuda>)
      for (const LayerCall& call : network.calls)
        if (const auto* norm = std::get_if<NormalizeLayer>(&call.layer)) most = std::max(most, norm->scratch(samples));
    return most;
  }

  void call_forward(const Backend& backend, const DenseLayer& layer, const Place& p, bool /*training*/) {
    dense_forward(backend, {.layer = layer,
                            .x = p.nodes.at.x,
                            .u = p.nodes.at.u,
                            .input = tensor(p.call, p.samples),
                            .output = tensor(p.call + 1, p.samples),
                            .relu = network_.calls[p.call].relu});
  }
  void call_forward(const Backend& backend, const Conv2dLayer&, const Place& p, bool training) {
    convolutions_.at(p.call).forward(backend, {.x = p.nodes.at.x,
                                               .u = p.nodes.at.u,
                                               .input = convolved(p),
                                               .output = tensor(p.call + 1, p.samples),
                                               .moments = moments(p, p.call, training),
                                               .norm = norm_on_load(p)});
  }
  void call_forward(const Backend& backend, const NormalizeLayer& layer, const Place& p, bool training) {
    const int skip = network_.calls[p.call].skip;
    normalize_forward(backend, {.layer = layer,
                                .x = p.nodes.at.x,
                                .u = p.nodes.at.u,
                                .input = tensor(p.call, p.samples),
                                .skip = skip == kNoTensor ? MatrixView<float>{} : tensor(skip, p.samples),
                                .output = tensor(p.call + 1, p.samples),
                                .saved = saved(p),
                                .statistics = p.nodes.statistics,
                                .scratch = scratch(p),
                                .moments = moments_before(p, training),
                                .terms = terms(p, p.call),
                                .training = training});
  }
  void call_forward(const Backend& backend, const PoolLayer& layer, const Place& p, bool /*training*/) {
    pool_forward(backend,
                 {.layer = layer, .input = tensor(p.call, p.samples), .output = tensor(p.call + 1, p.samples)});
  }

  void call_backward(const Backend& backend, const DenseLayer& layer, const Place& p, MatrixView<float> gradient) {
    dense_backward(backend, {.layer = layer,
                             .x = p.nodes.at.x,
                             .u = p.nodes.at.u,
                             .input = tensor(p.call, p.samples),
                             .output_gradient = gradient_of(p.call + 1, p.samples),
                             .gradient = gradient,
                             .input_gradient = gradient_of(p.call, p.samples),
                             .relu = is_after_relu(p.call)});
  }
  void call_backward(const Backend& backend, const Conv2dLayer&, const Place& p, MatrixView<float> gradient) {
    convolutions_.at(p.call).backward(backend, {.x = p.nodes.at.x,
                                                .u = p.nodes.at.u,
                                                .input = convolved(p),
                                                .output_gradient = gradient_of(p.call + 1, p.samples),
                                                .gradient = gradient,
                                                .input_gradient = gradient_of(p.call, p.samples),
                                                .norm = norm_on_load(p),
                                                .norm_gradient = norm_gradient(p)});
  }
  void call_backward(const Backend& backend, const NormalizeLayer& layer, const Place& p, MatrixView<float> gradient) {
    normalize_backward(backend, {.layer = layer,
                                 .x = p.nodes.at.x,
                                 .u = p.nodes.at.u,
                                 .input = tensor(p.call, p.samples),
                                 .output = tensor(p.call + 1, p.samples),
                                 .saved = saved(p),
                                 .output_gradient = gradient_of(p.call + 1, p.samples),
                                 .skip_gradient = later_gradient(p, p.call),
                                 .skip_shape = later_shape(p.call),
                                 .gradient = gradient,
                                 .input_gradient = gradient_of(p.call, p.samples),
                                 .scratch = scratch(p),
                                 .sums = gradient_sums(p, p.call + 1)});
  }
  void call_backward(const Backend& backend, const PoolLayer& layer, const Place& p, MatrixView<float> /*gradient*/) {
    pool_backward(backend, {.layer = layer,
                            .input = tensor(p.call, p.samples),
                            .output_gradient = gradient_of(p.call + 1, p.samples),
                            .input_gradient = gradient_of(p.call, p.samples)});
  }

  const Network& network_;
  std::vector<CallFusion> fusion_;  ///< [calls]
  GradientSlots slots_;
  Buffer<Backend, std::int32_t> label_;           ///< [samples]
  std::vector<Buffer<Backend, float>> tensor_;    ///< [tensors] of [samples, tensor size], if it is stored
  std::vector<Buffer<Backend, float>> gradient_;  ///< [slots] of [samples, slot size]
  std::vector<Buffer<Backend, float>> saved_;     ///< [calls] of [nodes, what normalization saves]
  std::vector<Buffer<Backend, float>> terms_;     ///< [calls] of [nodes, terms that normalization leaves]
  Buffer<Backend, double> scratch_;               ///< [nodes, what a normalization works in]
  Buffer<Backend, double> tile_sums_;             ///< [nodes, what a convolution leaves for the next call]
  ConvolutionRoom<Backend> convolution_room_;
  std::map<int, Conv2d<Backend>> convolutions_;  ///< by call
};

}  // namespace sparsepush
