#include "data/sets/array_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "data/files/safetensors.h"
#include "tests/data/error_of.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

using Shape = std::vector<std::int64_t>;
using Numbers = std::vector<std::int64_t>;

struct Tensor {
  TensorInfo info;
  std::vector<std::uint8_t> bytes = {};
  std::vector<float> floats = {};
  Numbers numbers = {};
};

Tensor bytes(const std::string& name, Shape shape, std::vector<std::uint8_t> values) {
  return {.info = {name, "U8", std::move(shape)}, .bytes = std::move(values)};
}
Tensor floats(const std::string& name, Shape shape, std::vector<float> values) {
  return {.info = {name, "F32", std::move(shape)}, .floats = std::move(values)};
}
Tensor numbers(const std::string& name, Numbers values) {
  return {.info = {name, "I64", {static_cast<std::int64_t>(values.size())}}, .numbers = values};
}

class ArrayFile : public ::testing::Test {
 protected:
  std::string write(const std::vector<Tensor>& tensors) const {
    const std::string path = folder_ / "set.safetensors";
    std::vector<TensorInfo> infos;
    for (const Tensor& tensor : tensors) infos.push_back(tensor.info);
    SafetensorsWriter file(path, infos, {});
    for (const Tensor& t : tensors) {
      if (t.info.dtype == "U8") file.write<std::uint8_t>(t.info.name, 0, t.bytes);
      if (t.info.dtype == "F32") file.write<float>(t.info.name, 0, t.floats);
      if (t.info.dtype == "I64") file.write<std::int64_t>(t.info.name, 0, t.numbers);
    }
    file.commit();
    return path;
  }
  /// What is said of `tensors` when they are loaded, without the path.
  std::string refusal(const std::vector<Tensor>& tensors) const {
    const std::string path = write(tensors);
    const std::string error = error_of([&] { load_array_file(path); });
    return error.starts_with(path) ? error.substr(path.size()) : error;
  }

  TemporaryFolder folder_;
};

/// Three images of two channels and 1 x 2 pixels for training, one for the test.
std::vector<Tensor> images() {
  return {bytes("train_x", {3, 2, 1, 2}, {0, 10, 100, 110, 20, 30, 120, 130, 40, 50, 140, 150}),
          numbers("train_y", {0, 2, 1}), bytes("test_x", {1, 2, 1, 2}, {1, 2, 3, 4}), numbers("test_y", {3})};
}

TEST_F(ArrayFile, ImagesHaveTheirChannelsTogetherAndAreNormalized) {
  const std::string path = write(images());
  const Dataset set = load_array_file(path);
  EXPECT_EQ(set.classes, 4);
  EXPECT_EQ(set.image, (ImageShape{.height = 1, .width = 2, .channels = 2}));
  EXPECT_EQ(set.features, 4);
  EXPECT_EQ(set.train.bytes, (std::vector<std::uint8_t>{0, 100, 10, 110, 20, 120, 30, 130, 40, 140, 50, 150}));
  EXPECT_EQ(set.train.label, (std::vector<std::uint8_t>{0, 2, 1}));
  EXPECT_EQ(set.test.bytes, (std::vector<std::uint8_t>{1, 3, 2, 4}));
  ASSERT_EQ(set.channel.size(), 2u);
  for (int c = 0; c < 2; ++c) {
    double sum = 0, squares = 0;
    for (int i = c; i < 12; i += 2) {
      const double value = set.channel[c].scale * set.train.bytes[i] + set.channel[c].offset;
      sum += value;
      squares += value * value;
    }
    EXPECT_NEAR(sum, 0, 1e-5);
    EXPECT_NEAR(squares / 6, 1, 1e-5);
  }
  const Dataset outline = array_file_outline(path);
  EXPECT_EQ(outline.train.count, 3);
  EXPECT_EQ(outline.test.count, 1);
  EXPECT_EQ(outline.image, set.image);
  EXPECT_EQ(outline.classes, set.classes);
  EXPECT_TRUE(outline.train.bytes.empty() && outline.train.label.empty());
}

TEST_F(ArrayFile, BytesWithoutImagesAreOneRow) {
  const Dataset set = load_array_file(write({bytes("train_x", {2, 3}, {1, 2, 3, 4, 5, 6}), numbers("train_y", {0, 1}),
                                             bytes("test_x", {1, 3}, {7, 8, 9}), numbers("test_y", {1})}));
  EXPECT_EQ(set.image, (ImageShape{.width = 3}));
  EXPECT_EQ(set.train.bytes, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(set.channel.size(), 1u);
  EXPECT_TRUE(set.owner.empty());
}

TEST_F(ArrayFile, FloatsStayAsTheyAre) {
  const std::vector<float> values = {-1.5f, 7, 1e6f, 0.25f, -0.0f, -1e-30f, 3.5f, 7, 0.1f};
  const Dataset set = load_array_file(write({floats("train_x", {3, 3}, values), numbers("train_y", {0, 1, 0}),
                                             floats("test_x", {1, 3}, {100, 8, -3e38f}), numbers("test_y", {1})}));
  EXPECT_EQ(set.train.values, values);
  EXPECT_EQ(set.test.values, (std::vector<float>{100, 8, -3e38f}));
  EXPECT_TRUE(set.has_floats && set.train.bytes.empty() && set.channel.empty());
  EXPECT_EQ(set.image, (ImageShape{.width = 3}));
  EXPECT_TRUE(array_file_outline(folder_ / "set.safetensors").has_floats);
}

TEST_F(ArrayFile, SamplesMayBelongToNodes) {
  auto tensors = images();
  tensors.push_back(numbers("train_node", {5, 0, 5}));
  EXPECT_EQ(load_array_file(write(tensors)).owner, (Numbers{5, 0, 5}));
  tensors.back() = numbers("train_node", {5, -1, 5});
  EXPECT_EQ(refusal(tensors),
            ": tensor \"train_node\": sample 1, counted from 0: expected a number from 0 to 2147483646, got -1");
  tensors.back() = numbers("train_node", {5, 5});
  EXPECT_EQ(refusal(tensors), ": tensor \"train_node\" is I64 [2]; expected I64 [3], one for each sample");
}

TEST_F(ArrayFile, WhatIsMissingOrWrongIsNamed) {
  const auto changed = [&](std::size_t index, const Tensor& tensor) {
    auto tensors = images();
    tensors[index] = tensor;
    return refusal(tensors);
  };
  for (std::size_t i = 0; i < 4; ++i) {
    auto tensors = images();
    const std::string name = tensors[i].info.name;
    tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_NE(refusal(tensors).find("\"" + name + "\""), std::string::npos) << refusal(tensors);
  }
  auto more = images();
  more.push_back(numbers("train_nodes", {0, 0, 0}));
  EXPECT_EQ(
      refusal(more),
      ": unexpected tensor \"train_nodes\"; expected train_x, train_y, test_x, test_y and, optionally, train_node");
  EXPECT_EQ(changed(0, numbers("train_x", {1, 2, 3})), ": tensor \"train_x\" is I64 [3]; expected U8 or F32");
  EXPECT_EQ(changed(0, bytes("train_x", {3}, {1, 2, 3})),
            ": tensor \"train_x\" is U8 [3]; expected [samples, channels, height, width] or [samples, features]");
  EXPECT_EQ(changed(0, floats("train_x", {1, 2, 1, 2}, {1, 2, 3, 4})),
            ": tensor \"train_x\" is F32 [1, 2, 1, 2]; expected [samples, features]");
  EXPECT_EQ(changed(2, bytes("test_x", {1, 2, 2, 1}, {1, 2, 3, 4})),
            ": tensor \"test_x\" is U8 [1, 2, 2, 1]; expected [samples, 2, 1, 2] as train_x");
  EXPECT_EQ(changed(2, floats("test_x", {1, 2, 1, 2}, {1, 2, 3, 4})),
            ": tensor \"test_x\" is F32 [1, 2, 1, 2]; expected U8 as train_x");
  EXPECT_EQ(changed(2, bytes("test_x", {0, 2, 1, 2}, {})),
            ": tensor \"test_x\" is U8 [0, 2, 1, 2]; expected at least one sample, and at most 2147483647");
  EXPECT_EQ(changed(0, bytes("train_x", {0, 2, 1, 2}, {})),
            ": tensor \"train_x\" is U8 [0, 2, 1, 2]; expected at least one sample, and at most 2147483647");
  EXPECT_EQ(changed(1, numbers("train_y", {0, 1})),
            ": tensor \"train_y\" is I64 [2]; expected I64 [3], one for each sample");
  EXPECT_EQ(changed(1, bytes("train_y", {3}, {0, 1, 2})),
            ": tensor \"train_y\" is U8 [3]; expected I64 [3], one for each sample");
  EXPECT_EQ(changed(1, numbers("train_y", {0, -1, 2})),
            ": tensor \"train_y\": sample 1, counted from 0: expected a number from 0 to 255, got -1");
  EXPECT_EQ(changed(3, numbers("test_y", {256})),
            ": tensor \"test_y\": sample 0, counted from 0: expected a number from 0 to 255, got 256");
}

TEST_F(ArrayFile, FeaturesMustBeFiniteAndClassesSeveral) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const bool in_test : {false, true}) {
      const std::string name = in_test ? "test_x" : "train_x";
      const std::string error =
          refusal({floats("train_x", {2, 2}, {1, 2, 3, in_test ? 4 : bad}), numbers("train_y", {0, 1}),
                   floats("test_x", {2, 2}, {1, 2, 3, in_test ? bad : 4}), numbers("test_y", {0, 1})});
      EXPECT_EQ(error,
                fmt::format(": tensor \"{}\": sample 1, feature 1, counted from 0: expected a finite number, got {}",
                            name, bad));
    }
  EXPECT_EQ(refusal({bytes("train_x", {1, 1}, {1}), numbers("train_y", {0}), bytes("test_x", {1, 1}, {1}),
                     numbers("test_y", {0})}),
            ": expected labels of at least two classes, got only 0");
}

TEST_F(ArrayFile, OnlyImagesAreAugmented) {
  DataConfig data;
  data.file = write(images());
  data.augment = true;
  EXPECT_NE(error_of([&] { array_file_source().outline(data); }).find("data.augment: "), std::string::npos);
  data.augment = false;
  EXPECT_EQ(array_file_source().outline(data).train.count, 3);
}

}  // namespace
}  // namespace sparsepush
