// The shape of the activations that convolutional layers read and write.
#pragma once

namespace sparsepush {

/// Channels last: element (y, x, c) of a sample stands at (y * width + x) * channels + c of its row.
struct ImageShape {
  int height = 1, width = 1, channels = 1;

  constexpr int pixels() const { return height * width; }
  constexpr int size() const { return pixels() * channels; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

}  // namespace sparsepush
