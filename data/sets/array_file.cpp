#include "data/sets/array_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/files/safetensors.h"

namespace sparsepush {
namespace {

using Shape = std::vector<std::int64_t>;

constexpr std::string_view kTensors[] = {"train_x", "train_y", "test_x", "test_y", "train_node"};
constexpr std::int64_t kMostLabels = 256;  // a label is a byte

/// Everything about the file that its header and its labels tell.
struct Arrays {
  SafetensorsReader file;
  bool has_floats = false;

  explicit Arrays(const std::string& path) : file(path) {
    for (const TensorInfo& info : file.tensors())
      if (std::ranges::find(kTensors, info.name) == std::end(kTensors))
        throw InputError(
            "{}: unexpected tensor {}; expected train_x, train_y, test_x, test_y and, optionally, train_node", path,
            in_quotes_short(info.name));
    const TensorInfo& x = file.info("train_x");
    has_floats = x.dtype == "F32";
    expect("train_x", x.dtype == "U8" || has_floats, "U8 or F32");
    expect("train_x", x.shape.size() == 2 || (x.shape.size() == 4 && !has_floats),
           has_floats ? "[samples, features]" : "[samples, channels, height, width] or [samples, features]");
    const TensorInfo& test = file.info("test_x");
    expect("test_x", test.dtype == x.dtype, x.dtype + " as train_x");
    Shape alike = x.shape;
    if (test.shape.size() == alike.size()) alike[0] = test.shape[0];
    expect("test_x", test.shape == alike,
           fmt::format("[samples, {}] as train_x", fmt::join(alike.begin() + 1, alike.end(), ", ")));
    check_sizes();
    for (const auto& [labels, samples] : {std::pair("train_y", x.shape[0]), {"test_y", test.shape[0]}})
      expect_one_each(labels, samples);
    if (file.contains("train_node")) expect_one_each("train_node", x.shape[0]);
  }

  const Shape& shape() const { return file.info("train_x").shape; }

  ImageShape image() const {
    const Shape& s = shape();
    if (s.size() == 2) return {.width = static_cast<int>(s[1])};
    return {.height = static_cast<int>(s[2]), .width = static_cast<int>(s[3]), .channels = static_cast<int>(s[1])};
  }

  /// Throws about the tensor `name` unless it is as `expected`.
  void expect(const std::string& name, bool fits, const std::string& expected) const {
    const TensorInfo& info = file.info(name);
    if (!fits)
      throw InputError("{}: tensor {} is {} [{}]; expected {}", file.path(), in_quotes_short(name), info.dtype,
                       fmt::join(info.shape, ", "), expected);
  }

  /// Reads an I64 tensor with one number for each sample, from 0 to below `end`.
  std::vector<std::int64_t> numbers(const std::string& name, std::int64_t end) const {
    const std::vector<std::int64_t> values = file.read<std::int64_t>(name);
    const auto wrong = std::ranges::find_if(values, [&](std::int64_t value) { return value < 0 || value >= end; });
    if (wrong != values.end())
      throw InputError("{}: tensor {}: sample {}, counted from 0: expected a number from 0 to {}, got {}", file.path(),
                       in_quotes_short(name), wrong - values.begin(), end - 1, *wrong);
    return values;
  }

 private:
  void expect_one_each(const std::string& name, std::int64_t samples) const {
    const TensorInfo& info = file.info(name);
    expect(name, info.dtype == "I64" && info.shape == Shape{samples},
           fmt::format("I64 [{}], one for each sample", samples));
  }

  void check_sizes() const {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    for (const std::string name : {"train_x", "test_x"}) {
      std::int64_t features = 1;
      const Shape& s = file.info(name).shape;
      for (std::size_t i = 1; i < s.size(); ++i)
        expect(name, s[i] >= 1 && !__builtin_mul_overflow(features, s[i], &features) && features <= kMost,
               "at least one feature, and at most 2147483647");
      expect(name, s[0] >= 1 && s[0] <= kMost, "at least one sample, and at most 2147483647");
    }
  }
};

/// Appends images, which the file has plane by plane, with the channels of a pixel together.
void append_bytes(const Arrays& arrays, const std::string& name, const ImageShape& image,
                  std::vector<std::uint8_t>& bytes) {
  const std::int64_t samples = arrays.file.info(name).shape[0];
  std::vector<std::uint8_t> planes(image.size());
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    arrays.file.read_part<std::uint8_t>(name, sample * image.size(), planes);
    for (int pixel = 0; pixel < image.pixels(); ++pixel)
      for (int c = 0; c < image.channels; ++c) bytes.push_back(planes[c * image.pixels() + pixel]);
  }
}

/// Computes what makes the training set's bytes have mean 0 and deviation 1 in each channel; a constant one becomes 0.
std::vector<ByteScale> standardizing(const std::vector<std::uint8_t>& bytes, int channels) {
  std::vector<double> sum(channels, 0), squares(channels, 0);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum[i % channels] += bytes[i];
    squares[i % channels] += static_cast<double>(bytes[i]) * bytes[i];
  }
  const double count = static_cast<double>(bytes.size()) / channels;
  std::vector<ByteScale> scales;
  for (int c = 0; c < channels; ++c) {
    const double mean = sum[c] / count, variance = squares[c] / count - mean * mean;
    const double deviation = variance > 1e-6 ? std::sqrt(variance) : 1;
    scales.push_back({.scale = static_cast<float>(1 / deviation), .offset = static_cast<float>(-mean / deviation)});
  }
  return scales;
}

/// Reads the values of a tensor, all of which must be finite.
std::vector<float> finite_values(const Arrays& arrays, const std::string& name, std::int64_t features) {
  std::vector<float> values = arrays.file.read<float>(name);
  const auto wrong = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  const std::int64_t at = wrong - values.begin();
  if (wrong != values.end())
    throw InputError("{}: tensor {}: sample {}, feature {}, counted from 0: expected a finite number, got {}",
                     arrays.file.path(), in_quotes_short(name), at / features, at % features, *wrong);
  return values;
}

std::vector<std::uint8_t> labels_of(const Arrays& arrays, const std::string& name) {
  const std::vector<std::int64_t> numbers = arrays.numbers(name, kMostLabels);
  return {numbers.begin(), numbers.end()};
}

Dataset with_labels(const Arrays& arrays) {
  Dataset set{.name = "file", .image = arrays.image(), .has_floats = arrays.has_floats};
  set.features = set.image.size();
  int greatest = 0;
  for (const auto& [part, labels] : {std::pair(&set.train, "train_y"), {&set.test, "test_y"}}) {
    part->label = labels_of(arrays, labels);
    part->count = static_cast<int>(part->label.size());
    greatest = std::max<int>(greatest, *std::ranges::max_element(part->label));
  }
  if (greatest == 0) throw InputError("{}: expected labels of at least two classes, got only 0", arrays.file.path());
  set.classes = greatest + 1;
  if (arrays.file.contains("train_node"))
    set.owner = arrays.numbers("train_node", std::numeric_limits<std::int32_t>::max());
  return set;
}

}  // namespace

Dataset array_file_outline(const std::string& path) {
  Dataset set = outline_of(with_labels(Arrays(path)));
  set.owner.clear();
  return set;
}

Dataset load_array_file(const std::string& path) {
  const Arrays arrays(path);
  Dataset set = with_labels(arrays);
  if (arrays.has_floats) {
    set.train.values = finite_values(arrays, "train_x", set.features);
    set.test.values = finite_values(arrays, "test_x", set.features);
    return set;
  }
  for (SampleSet* part : {&set.train, &set.test})  // growing would take several times the memory
    part->bytes.reserve(static_cast<std::size_t>(part->count) * set.features);
  append_bytes(arrays, "train_x", set.image, set.train.bytes);
  append_bytes(arrays, "test_x", set.image, set.test.bytes);
  set.channel = standardizing(set.train.bytes, set.image.channels);
  return set;
}

DataSource array_file_source() {
  return {.name = "file",
          .keys = {"data.file", "data.augment"},
          .file = "a safetensors file with train_x, train_y, test_x and test_y",
          .may_have_owners = true,
          .outline =
              [](const DataConfig& data) {
                Dataset set = array_file_outline(data.file);
                if (data.augment && (set.image.height == 1 || set.image.width == 1))
                  throw InputError("data.augment: {} has no images of several rows and columns", data.file);
                return set;
              },
          .load = [](const DataConfig& data) { return load_array_file(data.file); }};
}

}  // namespace sparsepush
