#include "models/resnet20.h"

#include <array>
#include <cmath>

namespace sparsepush {
namespace {

constexpr int kStages = 3, kBlocks = 3;  // of two convolutions each

/// A convolution with the normalization that follows.
struct Half {
  std::string prefix, number;
  int channels = 0, stride = 1;
  int skip = kNoTensor;
};

/// Of 1: standard. Without normalization [Fixup] starts residual branches small: the second convolution at zero, the
/// first by the square root of the number of branches.
double initial_scale(const Half& half, Norm norm) {
  if (norm != Norm::kNone || half.prefix.empty()) return 1;
  return half.skip == kNoTensor ? 1 / std::sqrt(kStages * kBlocks) : 0;
}

void add(NetworkBuilder& net, const Half& half, Norm norm) {
  const double deviation = initial_scale(half, norm) * std::sqrt(2.0 / (9.0 * net.shape().channels));
  net.conv2d(half.prefix + "conv" + half.number, {.out = half.channels,
                                                  .stride = half.stride,
                                                  .bias = norm == Norm::kNone,
                                                  .weight = {InitialValue::Kind::kNormal, deviation}});
  net.normalize(half.prefix + "bn" + half.number, {.norm = norm, .relu = norm != Norm::kEvoNorm, .skip = half.skip});
}

}  // namespace

Network make_resnet20(ImageShape input, int classes, Norm norm) {
  NetworkBuilder net(input);
  add(net, {.prefix = "", .number = "1", .channels = 16}, norm);
  for (int stage = 0; stage < kStages; ++stage)
    for (int block = 0; block < kBlocks; ++block) {
      const std::string prefix = "layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".";
      const int channels = 16 << stage, stride = stage > 0 && block == 0 ? 2 : 1, skip = net.tensor();
      add(net, {.prefix = prefix, .number = "1", .channels = channels, .stride = stride}, norm);
      add(net, {.prefix = prefix, .number = "2", .channels = channels, .skip = skip}, norm);
    }
  net.pool(Pool::kAverage);
  net.dense("linear", classes, false);
  return net.finish();
}

Model resnet20_model() {
  return {.name = "resnet20",
          .keys = {"run.precision", "run.convolution"},
          .has_image_layers = true,
          .make = [](const Model::Request& r) {
            check_image_sides(r, std::array{8, 28, 32});
            return make_resnet20(r.data.image, r.data.classes, r.norm);
          }};
}

}  // namespace sparsepush
