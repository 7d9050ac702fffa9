// A step of a small network of residual blocks, for tests of what its arithmetic and its plan do to it.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "kernels/layers/softmax_xent.h"
#include "models/network_pass.h"

namespace sparsepush {

/// Two blocks, the second with a stride, as ResNet-20 has them. With a tail the last block's output is read by one
/// convolution alone.
inline Network residual_network(Precision precision, bool relu, ImageShape image = {8, 8, 3}, bool has_tail = false) {
  NetworkBuilder net(image);
  const auto half = [&](const std::string& name, int channels, int stride, int skip) {
    net.conv2d(name + ".conv",
               {.out = channels,
                .stride = stride,
                .bias = false,
                .weight = {InitialValue::Kind::kNormal, std::sqrt(2.0 / (9.0 * net.shape().channels))}});
    net.normalize(name + ".bn", {.norm = Norm::kBatch, .relu = relu, .skip = skip});
  };
  half("first", 16, 1, kNoTensor);
  for (const int stride : {1, 2}) {
    const int skip = net.tensor();
    const std::string block = "block" + std::to_string(stride);
    half(block + ".a", 16 * stride, stride, kNoTensor);
    half(block + ".b", 16 * stride, 1, skip);
  }
  if (has_tail) half("tail", 32, 1, kNoTensor);
  net.pool(Pool::kAverage);
  net.dense("classifier", 5, false);
  Network network = net.finish();
  set_precision(network, precision);
  return network;
}

struct StepOutcome {
  std::vector<double> loss;
  std::vector<float> gradient;    ///< [nodes, row]
  std::vector<float> statistics;  ///< [nodes, network.statistics] as the step leaves them
};

inline constexpr int kNodes = 3, kBatch = 5;

/// Of nodes [first, first + count) of three.
struct Nodes {
  int first = 0, count = kNodes;
};

/// A step of a pass that has room for `planned` samples a node.
template <class Backend>
StepOutcome step_of(const Backend& backend, const Network& network, const std::vector<CallFusion>& fusion,
                    const Nodes& chosen = {}, int planned = kBatch) {
  const auto [first, count] = chosen;
  const int row = static_cast<int>(network.layout.row), statistics = static_cast<int>(network.statistics);
  NetworkPass<Backend> pass(backend, network, count, count * planned, fusion);
  std::vector<float> x(count * row), running(count * statistics);
  std::vector<float> images(count * kBatch * network.features());
  std::vector<std::int32_t> labels(count * kBatch);
  std::vector<double> u(count);
  for (int node = 0; node < count; ++node) {
    initialize_network(network, first + node + 1, x.data() + node * row);
    initialize_statistics(network, running.data() + node * statistics);
    u[node] = 1 + 0.3 * (first + node);
  }
  for (std::size_t i = 0; i < images.size(); ++i)
    images[i] = std::sin(static_cast<float>(3 * (i + first * kBatch * network.features())));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>((i + first * kBatch) % 5);
  const int samples = count * kBatch;
  copy(backend, pass.input(samples).data, images.data(), images.size() * sizeof(float));
  copy(backend, pass.label(samples).data(), labels.data(), labels.size() * sizeof(labels[0]));
  const Buffer<Backend, float> there(backend, count, row, x), running_there(backend, count, statistics, running),
      gradient(backend, count, row);
  const Buffer<Backend, double> u_there(backend, u), loss(backend, 1, count);
  const PassNodes nodes{.at = {.x = there.view(), .u = u_there.span()}, .statistics = running_there.view()};
  pass.forward(backend, nodes, samples, true);
  softmax_xent(backend, {.logits = pass.logits(samples),
                         .label = pass.label(samples),
                         .gradient = pass.logits_gradient(samples),
                         .loss = loss.span()});
  pass.backward(backend, nodes, samples, gradient.view());
  return {loss.to_host(), gradient.to_host(), running_there.to_host()};
}
template <class Backend>
StepOutcome step_of(const Backend& backend, const Network& network, const Nodes& chosen = {}) {
  return step_of(backend, network, fuse_calls_on<Backend>(network, kBatch), chosen);
}

/// |a - b| over |b|.
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double squares = 0, all = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    squares += std::pow(static_cast<double>(a[i]) - b[i], 2);
    all += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(squares / all);
}

}  // namespace sparsepush
