#include "models/vgg11.h"

#include <array>
#include <cmath>

#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

constexpr int kPool = 0;
constexpr std::array kFeatures = {64, kPool, 128, kPool, 256, 256, kPool, 512, 512, kPool, 512, 512, kPool};

}  // namespace

Network make_vgg11(ImageShape input, int classes, Norm norm) {
  CHECK(input.height == 32 && input.width == 32, "images of ", input.height, " x ", input.width);
  NetworkBuilder net(input);
  int number = 0;  // of PyTorch's module
  const auto next_name = [&number] { return "features." + std::to_string(number++); };
  for (const int channels : kFeatures) {
    if (channels == kPool) {
      ++number;
      net.pool(Pool::kMax);
      continue;
    }
    net.conv2d(next_name(),
               {.out = channels, .weight = {InitialValue::Kind::kNormal, std::sqrt(2.0 / (9.0 * channels))}});
    const bool has_relu = norm != Norm::kEvoNorm;
    net.normalize(norm == Norm::kNone ? "" : next_name(), {.norm = norm, .relu = has_relu});
    number += has_relu;
  }
  net.dense("classifier.0", 512, true);
  net.dense("classifier.2", classes, false);
  return net.finish();
}

Model vgg11_model() {
  return {.name = "vgg11",
          .keys = {"run.precision", "run.convolution"},
          .has_image_layers = true,
          .make = [](const Model::Request& r) {
            check_image_sides(r, std::array{32});
            return make_vgg11(r.data.image, r.data.classes, r.norm);
          }};
}

}  // namespace sparsepush
