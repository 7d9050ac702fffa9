// Labelled data sets in host memory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/layers/byte_scale.h"
#include "kernels/layers/image_shape.h"

namespace sparsepush {

/// Samples as bytes, or as floats; row-major, the channels of a pixel together.
struct SampleSet {
  int count = 0;
  std::vector<std::uint8_t> bytes;  ///< [count, features]
  std::vector<std::uint8_t> label;  ///< [count], below `classes`
  std::vector<float> values = {};   ///< [count, features] instead of bytes
};

/// A data set split for training and test.
struct Dataset {
  std::string name;
  int features = 0;
  ImageShape image = {};  ///< shape of the features
  int classes = 0;
  bool has_floats = false;
  std::vector<ByteScale> channel = {};  ///< [image.channels] what the bytes mean
  SampleSet train = {}, test = {};
  std::vector<std::int64_t> owner = {};    ///< [train.count] the node that each sample belongs to; empty: to none
  std::vector<std::string> warnings = {};  ///< about its files, for users
};

/// Says whether sample `i` is for the test, in sets that come without a split: every sixth is.
constexpr bool is_test_sample(std::int64_t i) { return i % 6 == 5; }

}  // namespace sparsepush
