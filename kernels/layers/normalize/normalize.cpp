#include "kernels/layers/normalize/normalize.h"

#include "kernels/backend/check.h"
#include "kernels/layers/normalize/normalize_plan.h"

namespace sparsepush {
namespace {

void check_image(const ImageShape& shape) {
  CHECK(shape.height >= 1 && shape.width >= 1 && shape.channels >= 1, "image of ", shape.height, " x ", shape.width,
        " x ", shape.channels);
}

/// What both directions share: parameters inside the row, and samples of the layer's shape.
void check_layer_shapes(const NormalizeLayer& layer, MatrixView<const float> x, std::span<const double> u,
                        MatrixView<const float> input, MatrixView<const float> output) {
  const int channels = layer.shape.channels;
  check_image(layer.shape);
  CHECK(x.rows >= 1 && u.size() == static_cast<std::size_t>(x.rows), "x ", x, ", u ", u.size());
  CHECK(input.cols == layer.shape.size() && input.rows >= 1 && input.rows % x.rows == 0, "input ", input, ", x ", x);
  CHECK(output.data == nullptr || (output.rows == input.rows && output.cols == input.cols), "output ", output,
        ", input ", input);
  if (layer.norm == Norm::kNone) return;
  const auto check_parameter = [&](std::int64_t first) {
    CHECK(first >= 0 && first + channels <= x.cols, channels, " parameters at ", first, ", x ", x);
  };
  check_parameter(layer.gamma);
  check_parameter(layer.beta);
  if (layer.norm == Norm::kEvoNorm) check_parameter(layer.v);
  if (layer.norm == Norm::kBatch) return;
  CHECK(layer.groups >= 1 && channels % layer.groups == 0, "channels ", channels, ", groups ", layer.groups);
}

void check_saved(const NormalizeLayer& layer, MatrixView<const float> x, MatrixView<const float> input,
                 MatrixView<const float> saved) {
  const std::int64_t needed = layer.saved(input.rows / x.rows);
  CHECK(needed == 0 || (saved.rows == x.rows && saved.cols >= needed), "saved ", saved, ", needed ", needed, ", x ", x);
}

/// Checks the terms that stand for an output, or beside it.
void check_terms(const NormalizeForward& f) {
  CHECK(f.output.data != nullptr || f.terms.data != nullptr, "neither an output nor terms");
  if (f.terms.data == nullptr) return;
  CHECK(f.layer.norm == Norm::kBatch && !f.layer.has_skip, "terms of what is not batch normalization alone");
  const int channels = f.layer.shape.channels;
  CHECK(f.terms.rows == f.x.rows && f.terms.cols >= NormOnLoad::kNumbers * channels &&
            f.terms.cols % floats_at_once(channels) == 0,
        "terms ", f.terms, ", channels ", channels, ", x ", f.x);
}

void check_shortcut(const ImageShape& from, const ImageShape& to) {
  check_image(from);
  CHECK(from == to || is_option_a(from, to), "shortcut from ", from.height, " x ", from.width, " x ", from.channels,
        " to ", to.height, " x ", to.width, " x ", to.channels);
}

}  // namespace

std::int64_t NormalizeLayer::scratch(int samples) const {
  return norm == Norm::kNone ? 0 : norm_plan(*this, samples).scratch();
}

void check_normalize_forward_shapes(const NormalizeForward& f) {
  const NormalizeLayer& layer = f.layer;
  check_layer_shapes(layer, f.x, f.u, f.input, f.output);
  check_terms(f);
  if (f.training) check_saved(layer, f.x, f.input, f.saved);
  if (layer.has_skip) {
    check_shortcut(layer.skip, layer.shape);
    CHECK(f.skip.rows == f.input.rows && f.skip.cols == layer.skip.size(), "skip ", f.skip, ", input ", f.input);
  }
  if (layer.norm == Norm::kBatch)
    CHECK(f.statistics.rows == f.x.rows && layer.statistics >= 0 &&
              layer.statistics + std::int64_t{2} * layer.shape.channels <= f.statistics.cols,
          "statistics ", f.statistics, ", x ", f.x, ", first ", layer.statistics);
  if (f.moments.sums.data == nullptr) return;
  const auto [tiles, pixels] = f.moments.tiles;
  const std::int64_t all = std::int64_t{f.input.rows / f.x.rows} * layer.shape.pixels();
  CHECK(layer.norm == Norm::kBatch && f.training, "moments are of no batch");
  CHECK(f.moments.sums.rows == f.x.rows && f.moments.sums.cols >= f.moments.tiles.doubles(layer.shape.channels),
        "moments ", f.moments.sums, ", tiles ", tiles, ", x ", f.x);
  CHECK(tiles >= 1 && pixels >= 1 && std::int64_t{tiles} * pixels >= all && std::int64_t{tiles - 1} * pixels < all,
        "tiles ", tiles, " of ", pixels, " pixels, pixels ", all);
}

void check_normalize_backward_shapes(const NormalizeBackward& b) {
  check_layer_shapes(b.layer, b.x, b.u, b.input, b.output);
  CHECK(b.output.data != nullptr || b.sums.sums.data != nullptr, "neither an output nor sums of its gradient");
  check_saved(b.layer, b.x, b.input, b.saved);
  const auto check_like_input = [&](MatrixView<const float> gradient) {
    CHECK(gradient.rows == b.input.rows && gradient.cols == b.input.cols, "gradient ", gradient, ", input ", b.input);
  };
  check_like_input(b.output_gradient);
  check_like_input(b.input_gradient);
  if (b.layer.norm != Norm::kNone)
    CHECK(b.gradient.rows == b.x.rows && b.gradient.cols == b.x.cols, "gradient ", b.gradient, ", x ", b.x);
  if (b.sums.sums.data != nullptr)
    CHECK(b.layer.norm == Norm::kBatch && b.sums.tiles >= 1 && b.sums.sums.rows == b.x.rows &&
              b.sums.sums.cols >= NormGradientSums::doubles(b.sums.tiles, b.layer.shape.channels),
          "sums ", b.sums.sums, " of ", b.sums.tiles, " tiles, x ", b.x);
  if (b.skip_gradient.data == nullptr) return;
  check_shortcut(b.layer.shape, b.skip_shape);
  CHECK(b.skip_gradient.rows == b.input.rows && b.skip_gradient.cols == b.skip_shape.size(), "skip gradient ",
        b.skip_gradient, ", input ", b.input);
}

}  // namespace sparsepush
