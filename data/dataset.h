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

/// A data set split for training and test. Input features are scale * byte + offset.
struct Dataset {
  std::string name;
  int features = 0;
  int classes = 0;
  float scale = 1;
  float offset = 0;
  SampleSet train, test;
};

/// The split of sets that come without one: every sixth sample is for the test.
constexpr bool is_test_sample(std::int64_t i) { return i % 6 == 5; }

}  // namespace sparsepush
