#include "models/lenet5.h"

#include <array>
#include <cmath>

#include "kernels/backend/check.h"

namespace sparsepush {

Network make_lenet5(ImageShape input, int classes, Norm norm) {
  CHECK(input.height == input.width && (input.height == 28 || input.height == 32), "images of ", input.height, " x ",
        input.width);
  NetworkBuilder net(input);
  int number = 0;
  const auto stage = [&](int channels, int padding) {
    ++number;
    const double bound = 1 / std::sqrt(25.0 * net.shape().channels);
    const InitialValue uniform{InitialValue::Kind::kUniform, bound};
    net.conv2d("conv" + std::to_string(number),
               {.out = channels, .kernel = 5, .padding = padding, .weight = uniform, .initial_bias = uniform});
    net.normalize("norm" + std::to_string(number), {.norm = norm, .relu = norm != Norm::kEvoNorm});
    net.pool(Pool::kMax);
  };
  stage(6, input.height == 28 ? 2 : 0);
  stage(16, 0);
  net.pool(Pool::kFlatten);
  net.dense("fc1", 120, true);
  net.dense("fc2", 84, true);
  net.dense("fc3", classes, false);
  return net.finish();
}

Model lenet5_model() {
  return {.name = "lenet5", .keys = {"run.convolution"}, .has_image_layers = true, .make = [](const Model::Request& r) {
            check_image_sides(r, std::array{28, 32});
            return make_lenet5(r.data.image, r.data.classes, r.norm);
          }};
}

}  // namespace sparsepush
