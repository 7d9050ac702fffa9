#include "models/fusion.h"

#include <algorithm>
#include <variant>

#include "kernels/layers/conv2d/tensor_tiles.h"

namespace sparsepush {
namespace {

bool is_batch_norm(const LayerCall& call) {
  const auto* norm = std::get_if<NormalizeLayer>(&call.layer);
  return norm != nullptr && norm->norm == Norm::kBatch;
}

}  // namespace

std::vector<CallFusion> fuse_calls(const Network& network, int samples) {
  std::vector<CallFusion> fusion(network.calls.size());
  for (std::size_t i = 0; i + 1 < network.calls.size(); ++i) {
    const LayerCall &call = network.calls[i], &next = network.calls[i + 1];
    if (const auto* conv = std::get_if<Conv2dLayer>(&call.layer))
      fusion[i].leaves_moments = is_batch_norm(next) && moment_tiles(*conv, samples).count > 0;
    if (const auto* reader = std::get_if<Conv2dLayer>(&next.layer)) {
      const bool sums = is_batch_norm(call) && norm_gradient_tiles(*reader, samples) > 0;
      fusion[i + 1].sums_gradient = sums;
      fusion[i].leaves_terms =
          sums && call.skip == kNoTensor && call.skipped_to == kNoTensor && can_normalize_on_load(*reader, samples);
    }
  }
  return fusion;
}

std::int64_t tile_sum_doubles(const Network& network, const std::vector<CallFusion>& fusion, int samples) {
  std::int64_t most = 0;
  for (std::size_t i = 0; i < fusion.size(); ++i) {
    const auto* conv = std::get_if<Conv2dLayer>(&network.calls[i].layer);
    if (conv == nullptr) continue;
    if (fusion[i].leaves_moments) most = std::max(most, moment_tiles(*conv, samples).doubles(conv->out));
    if (fusion[i].sums_gradient)
      most = std::max(most, NormGradientSums::doubles(norm_gradient_tiles(*conv, samples), conv->in.channels));
  }
  return most;
}

}  // namespace sparsepush
