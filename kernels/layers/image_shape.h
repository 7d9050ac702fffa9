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

/// Returns how many neighbouring channels a thread of a GPU takes in one access: 16 bytes where the channels are a
/// multiple of 4, so that in an array that begins on 16 bytes every pixel does; else one.
constexpr int floats_at_once(int channels) { return channels % 4 == 0 ? 4 : 1; }

}  // namespace sparsepush
