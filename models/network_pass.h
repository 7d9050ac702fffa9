// Forward and backward through a network, for the nodes of one wave at a time.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/buffer.h"
#include "kernels/dense.h"
#include "models/gradients.h"
#include "models/network.h"

namespace sparsepush {

/// Bytes of the activations of `samples` samples.
inline std::int64_t activation_bytes(const Network& network, int samples) {
  std::int64_t floats = network.features + 1;  // a label is as large as a float
  for (const DenseLayer& layer : network.layers) floats += 2 * layer.out;
  return floats * samples * static_cast<std::int64_t>(sizeof(float));
}

/// The activations of up to `samples` samples, of all nodes of a wave together, and the passes that fill them.
template <class Backend>
class NetworkPass {
 public:
  NetworkPass(const Backend& backend, const Network& network, int samples)
      : input_(backend, samples, network.features), label_(backend, 1, samples) {
    for (const DenseLayer& layer : network.layers) {
      output_.emplace_back(backend, samples, layer.out);
      output_gradient_.emplace_back(backend, samples, layer.out);
    }
  }

  /// Where the caller puts the samples, and where logits are found and their gradient is put: the first `samples` rows.
  MatrixView<float> input(int samples) const { return input_.view().rows_from(0, samples); }
  std::span<std::int32_t> label(int samples) const { return label_.span().first(samples); }
  MatrixView<const float> logits(int samples) const { return output_.back().view().rows_from(0, samples); }
  MatrixView<float> logits_gradient(int samples) const { return output_gradient_.back().view().rows_from(0, samples); }

  /// Computes the logits of the input at the parameters of the wave's nodes.
  void forward(const Backend& backend, const Network& network, const NodeParameters& at, int samples) const {
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      dense_forward(backend, {.layer = network.layers[i],
                              .x = at.x,
                              .u = at.u,
                              .input = layer_input(i, samples),
                              .output = output_[i].view().rows_from(0, samples),
                              .relu = i + 1 < network.layers.size()});
    }
  }

  /// Writes the gradients of all parameters to `gradient` [nodes of the wave, row], from the logits' gradient.
  void backward(const Backend& backend, const Network& network, const NodeParameters& at, int samples,
                MatrixView<float> gradient) const {
    for (std::size_t i = network.layers.size(); i-- > 0;) {
      dense_backward(backend, {.layer = network.layers[i],
                               .x = at.x,
                               .u = at.u,
                               .input = layer_input(i, samples),
                               .output_gradient = output_gradient_[i].view().rows_from(0, samples),
                               .gradient = gradient,
                               .input_gradient =
                                   i > 0 ? output_gradient_[i - 1].view().rows_from(0, samples) : MatrixView<float>{},
                               .relu = i > 0});
    }
  }

 private:
  MatrixView<const float> layer_input(std::size_t layer, int samples) const {
    return layer == 0 ? input(samples) : output_[layer - 1].view().rows_from(0, samples);
  }

  Buffer<Backend, float> input_;                         ///< [samples, features]
  Buffer<Backend, std::int32_t> label_;                  ///< [samples]
  std::vector<Buffer<Backend, float>> output_;           ///< [layers] of [samples, out], after the ReLU
  std::vector<Buffer<Backend, float>> output_gradient_;  ///< [layers] of [samples, out], before the ReLU
};

}  // namespace sparsepush
