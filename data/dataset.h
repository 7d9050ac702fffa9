// Labelled data sets in host memory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sparsepush {

/// Samples as bytes; row-major.
struct SampleSet {
  int count = 0;
  std::vector<std::uint8_t> bytes;  ///< [count, features]
  std::vector<std::uint8_t> label;  ///< [count], below `classes`
};

/// A sample's features as an image, [channels, height, width].
struct ImageShape {
  int channels = 1, height = 1, width = 1;
  int features() const { return channels * height * width; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

/// Byte b of a channel means the input feature scale * b + offset.
struct ByteScale {
  float scale = 1, offset = 0;
  friend bool operator==(const ByteScale&, const ByteScale&) = default;
};

/// A data set split for training and test.
struct Dataset {
  std::string name;
  int features = 0;
  ImageShape image = {};  ///< of `features` pixels
  int classes = 0;
  /// Of all features as models take them today: of the only channel, or a mean over the channels.
  float scale = 1;
  float offset = 0;
  std::vector<ByteScale> channel = {};  ///< [image.channels]
  SampleSet train = {}, test = {};
};

/// The split of sets that come without one: every sixth sample is for the test.
constexpr bool is_test_sample(std::int64_t i) { return i % 6 == 5; }

}  // namespace sparsepush
