// Random crops and mirror images of the images that a model is trained on.
#pragma once
#include <cstdint>

#include "kernels/backend/random.h"
#include "kernels/layers/image_shape.h"

namespace sparsepush {

/// A part of an image, as large as the image, of the image with kPadding pixels of zero bytes added on every side; it
/// may be mirrored after that. The default is the image itself.
struct Crop {
  static constexpr int kPadding = 4;
  int top = kPadding, left = kPadding;  ///< the part's first row and column of the padded image, 0 to 2 * kPadding
  bool flip = false;                    ///< left to right

  /// Returns the element of the image that becomes element `i` of the crop, or -1 for padding.
  constexpr int source(const ImageShape& image, int i) const {
    const int pixel = i / image.channels, out_y = pixel / image.width, out_x = pixel - out_y * image.width;
    const int y = out_y + top - kPadding, x = (flip ? image.width - 1 - out_x : out_x) + left - kPadding;
    const bool inside = y >= 0 && y < image.height && x >= 0 && x < image.width;
    return inside ? (y * image.width + x) * image.channels + i - pixel * image.channels : -1;
  }
};

/// Draws a crop. Of the draw's four words the first chooses `top`, the second `left`, each by multiplication of its 32
/// bits (bias below 9 * 2^-32), and the highest bit of the third `flip`.
constexpr Crop random_crop(const Draw& draw) {
  const PhiloxBlock bits = random_bits(draw);
  const auto place = [](std::uint32_t word) {
    return static_cast<int>((static_cast<std::uint64_t>(word) * (2 * Crop::kPadding + 1)) >> 32);
  };
  return {.top = place(bits[0]), .left = place(bits[1]), .flip = (bits[2] >> 31) != 0};
}

}  // namespace sparsepush
